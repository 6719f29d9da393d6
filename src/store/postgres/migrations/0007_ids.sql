-- Who looks for a message knows its id, and seldom who sent it. Accepted messages are found by their identity, so that
-- their ids, which come in any order, stand in one index and not in two.
ALTER TABLE identity DROP CONSTRAINT identity_pkey;
ALTER TABLE identity ADD PRIMARY KEY (id, source);
DROP INDEX message_id;
CREATE INDEX message_id ON message (id) WHERE state = 1 AND id IS NOT NULL;
