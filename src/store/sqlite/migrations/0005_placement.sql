-- Who is not placed with an a-kasse, by a hash of the two parties and the citizen, and from when.
CREATE TABLE placement (
    key        BLOB PRIMARY KEY,
    opted_out  INTEGER,
    special    INTEGER,
    message    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
