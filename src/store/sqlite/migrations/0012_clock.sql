-- Where a promise's steps are no plain shares of the time between its start and its end; since when its clock stands
-- still; and who says so. At a delivery's place 0 is that it is delivered, at those after it what else is promised.
ALTER TABLE deadline ADD COLUMN at_50 INTEGER;
ALTER TABLE deadline ADD COLUMN at_75 INTEGER;
ALTER TABLE deadline ADD COLUMN at_90 INTEGER;
ALTER TABLE deadline ADD COLUMN paused_at INTEGER;
ALTER TABLE deadline ADD COLUMN basis TEXT;

-- How many promises a delivery has beside being delivered.
ALTER TABLE delivery ADD COLUMN clocks INTEGER NOT NULL DEFAULT 0;

-- What promises say that are not plain, under the numbers of their deadlines. A clock that has not begun has no
-- deadline yet.
CREATE TABLE clock (
    seq      INTEGER PRIMARY KEY,
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),       -- waiting for its start, begun, over
    terms    TEXT    NOT NULL,
    calendar TEXT,
    -- Between whom and about whom, and the kind that stops it.
    about    BLOB,
    awaits   TEXT
) STRICT;
CREATE INDEX clock_about ON clock (about, awaits) WHERE about IS NOT NULL AND state < 2;

-- The calendars that promises count by, as they were.
CREATE TABLE calendar (
    id   TEXT PRIMARY KEY,
    what TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When a gateway was up: a row for each process that watched, with the last time it said so.
CREATE TABLE run (
    id         BLOB    PRIMARY KEY,
    node       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    in_order   INTEGER NOT NULL DEFAULT 0 CHECK (in_order IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX run_seen ON run (seen_at);
