-- What was spent of each cap, in øre.
CREATE TABLE spent (
    sum  TEXT PRIMARY KEY,
    oere INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
