-- An accepted message whose id is a UUID is known by a number made of it: such ids come in any order, so each touches a
-- page of its own in their index, and short entries share pages that long ones do not. The others are known by sender and
-- id as before: other ids, what was stored earlier, and the second of two messages whose ids give the same number.
ALTER TABLE message ADD COLUMN identity INTEGER;
CREATE UNIQUE INDEX message_number ON message (identity) WHERE identity IS NOT NULL;
DROP INDEX message_identity;
CREATE UNIQUE INDEX message_identity ON message (source, id) WHERE state = 0 AND identity IS NULL;
