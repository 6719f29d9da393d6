-- A mark names the node whose hand it is: only that of a node that is gone tells of a crash. Each crash of one
-- message is a node, and so a row, of its own. Nodes are numbered from 1: marks from before are of one that is gone.
ALTER TABLE in_hand DROP CONSTRAINT in_hand_pkey;
ALTER TABLE in_hand DROP COLUMN times;
ALTER TABLE in_hand ADD COLUMN node bigint NOT NULL DEFAULT 0;
ALTER TABLE in_hand ALTER COLUMN node DROP DEFAULT;
ALTER TABLE in_hand ADD PRIMARY KEY (key, node);
