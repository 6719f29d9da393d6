-- Configurations as they came into force.
CREATE TABLE generation (
    number       INTEGER PRIMARY KEY,
    hash         TEXT    NOT NULL,
    activated_at INTEGER NOT NULL,
    who          TEXT    NOT NULL,
    how          TEXT    NOT NULL,
    repeats      INTEGER,
    node         TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    effective    TEXT    NOT NULL
) STRICT;

-- What each node says that it runs.
CREATE TABLE node (
    name       TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    roles      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    asked      INTEGER NOT NULL,
    failed     TEXT
) STRICT, WITHOUT ROWID;

-- Requests that nodes read their configuration again.
CREATE TABLE reload_ask (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    how     TEXT    NOT NULL,
    repeats INTEGER,
    node    TEXT
) STRICT;
