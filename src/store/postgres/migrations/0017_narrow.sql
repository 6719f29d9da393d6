-- What each message costs: every row and every entry of an index is written, and written again in the server's log.

-- A message's bytes lie with its first parcel, in one row of one page: both are long, never change, and go together. What
-- is not delivered keeps them where they were; so does what came before. Rows that nearly fill a page stay whole.
ALTER TABLE parcel ADD COLUMN raw bytea;
ALTER TABLE parcel ALTER COLUMN raw SET STORAGE EXTERNAL;
ALTER TABLE parcel SET (toast_tuple_target = 8160);

-- Histories are read by message, answers by party: nobody asks for either by its number alone.
ALTER TABLE event DROP CONSTRAINT event_pkey;
ALTER TABLE answer DROP CONSTRAINT answer_pkey;

-- Only of complaints is it told that no agreement covers them.
DROP INDEX message_uncovered;
CREATE INDEX message_uncovered ON message (received_at, party, receiver, receipt)
    WHERE state = 0 AND agreement IS NULL AND kind LIKE 'complaint.v%';
