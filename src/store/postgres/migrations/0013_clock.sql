-- Where a promise's steps are no plain shares of the time between its start and its end; since when its clock stands
-- still; and who says so. At a delivery's place 0 is that it is delivered, at those after it what else is promised.
ALTER TABLE deadline ADD COLUMN at_50 bigint, ADD COLUMN at_75 bigint, ADD COLUMN at_90 bigint,
    ADD COLUMN paused_at bigint, ADD COLUMN basis text;

-- How many promises a delivery has beside being delivered.
ALTER TABLE delivery ADD COLUMN clocks smallint NOT NULL DEFAULT 0;

-- What promises say that are not plain, under the numbers of their deadlines. A clock that has not begun has no
-- deadline yet.
CREATE TABLE clock (
    seq      bigint   PRIMARY KEY,
    state    smallint NOT NULL CHECK (state BETWEEN 0 AND 2),      -- waiting for its start, begun, over
    terms    text     NOT NULL,
    calendar text,
    -- Between whom and about whom, and the kind that stops it.
    about    bytea,
    awaits   text
);
CREATE INDEX clock_about ON clock (about, awaits) WHERE about IS NOT NULL AND state < 2;

-- The calendars that promises count by, as they were.
CREATE TABLE calendar (
    id   text PRIMARY KEY,
    what text NOT NULL
);

-- When a gateway was up: a row for each process that watched, with the last time it said so.
CREATE TABLE run (
    id         uuid    PRIMARY KEY,
    node       text    NOT NULL,
    started_at bigint  NOT NULL,
    seen_at    bigint  NOT NULL,
    in_order   boolean NOT NULL DEFAULT false
);
CREATE INDEX run_seen ON run (seen_at);
