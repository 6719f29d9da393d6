-- What counts in the key figures, one narrow row for each message that says something for them.
CREATE TABLE figure (
    message    INTEGER PRIMARY KEY,
    -- The first record of the same interview: its own number where it corrects none.
    first      INTEGER NOT NULL,
    -- At a first record: the latest one, which counts.
    latest     INTEGER NOT NULL,
    replaced   INTEGER NOT NULL DEFAULT 0 CHECK (replaced IN (0, 1)),
    month      INTEGER NOT NULL,                                    -- months since year 0
    jobcenter  TEXT    NOT NULL,
    akasse     TEXT    NOT NULL,
    own        INTEGER NOT NULL CHECK (own IN (0, 1)),              -- 0 the a-kasse's, 1 the jobcenter's own
    interview  TEXT    NOT NULL,
    timeliness INTEGER NOT NULL CHECK (timeliness BETWEEN 0 AND 2), -- in time, late, not held
    agreement  TEXT
) STRICT;
-- In the order in which they are counted, with all that is asked of them.
CREATE INDEX figure_count ON figure (month, jobcenter, interview, akasse, own, timeliness, agreement) WHERE replaced = 0;

-- Which messages came in a period.
CREATE INDEX message_received ON message (received_at);
