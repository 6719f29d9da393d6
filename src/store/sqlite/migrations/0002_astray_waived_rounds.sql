-- The party in whose queue a message lay that was not its own to fill.
ALTER TABLE message ADD COLUMN astray_in TEXT;
CREATE INDEX message_astray ON message (received_at, astray_in, party, receipt) WHERE astray_in IS NOT NULL;

-- How often a person had it tried again after its death.
ALTER TABLE delivery ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;

-- A promise that ended because a person waived it does not begin again.
ALTER TABLE deadline ADD COLUMN waived INTEGER NOT NULL DEFAULT 0 CHECK (waived IN (0, 1) AND (waived = 0 OR ended_at IS NOT NULL));
