-- What each lane measured last: how fast its receiver works.
CREATE TABLE pace (
    receiver   TEXT    PRIMARY KEY,
    per_second REAL    NOT NULL,
    busy       REAL    NOT NULL,
    able       REAL    NOT NULL,
    took       REAL    NOT NULL,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Planned maintenance of receivers. What is over is forgotten here and stands in the audit.
CREATE TABLE maintenance (
    receiver TEXT    NOT NULL,
    from_at  INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    who      TEXT    NOT NULL,
    PRIMARY KEY (receiver, from_at, until_at),
    CHECK (until_at > from_at)
) STRICT, WITHOUT ROWID;
