-- What was spent of each cap, in øre.
CREATE TABLE spent (
    sum  text PRIMARY KEY,
    oere bigint NOT NULL
);
