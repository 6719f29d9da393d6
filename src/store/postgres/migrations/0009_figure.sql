-- What counts in the key figures, one narrow row for each message that says something for them.
CREATE TABLE figure (
    message    bigint   PRIMARY KEY,
    -- The first record of the same interview: its own number where it corrects none.
    first      bigint   NOT NULL,
    -- At a first record: the latest one, which counts.
    latest     bigint   NOT NULL,
    replaced   boolean  NOT NULL DEFAULT false,
    month      integer  NOT NULL,                                      -- months since year 0
    jobcenter  text     COLLATE "C" NOT NULL,
    akasse     text     COLLATE "C" NOT NULL,
    own        boolean  NOT NULL,                                      -- the jobcenter's, not the a-kasse's
    interview  text     COLLATE "C" NOT NULL,
    timeliness smallint NOT NULL CHECK (timeliness BETWEEN 0 AND 2),   -- in time, late, not held
    agreement  text
);
-- In the order in which they are counted, with all that is asked of them.
CREATE INDEX figure_count ON figure (month, jobcenter, interview, akasse, own, timeliness, agreement) WHERE NOT replaced;

-- Which messages came in a period.
CREATE INDEX message_received ON message (received_at);
