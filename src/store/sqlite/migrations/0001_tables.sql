-- A message as it arrived. Small columns first: the raw bytes come last, so that lists do not read them.
CREATE TABLE message (
    seq         INTEGER PRIMARY KEY,
    receipt     BLOB    NOT NULL,
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 1),   -- 0 accepted, 1 invalid
    party       TEXT    NOT NULL,
    source      TEXT,
    id          TEXT,
    kind        TEXT,
    receiver    TEXT,
    agreement   TEXT,
    subject     TEXT,
    correlation TEXT,
    causation   TEXT,
    traceparent TEXT,
    occurred_at INTEGER,
    recorded_at INTEGER,
    sent_at     INTEGER,
    received_at INTEGER NOT NULL,
    way         TEXT    NOT NULL,
    generation  INTEGER NOT NULL,
    answers     INTEGER NOT NULL,
    hash        BLOB,
    findings    TEXT,
    content_type TEXT,
    headers     TEXT,
    raw         BLOB,
    CHECK (length(receipt) = 16),
    CHECK (state = 1 OR (source IS NOT NULL AND id IS NOT NULL AND kind IS NOT NULL AND hash IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX message_receipt ON message (receipt);
CREATE UNIQUE INDEX message_identity ON message (source, id) WHERE state = 0;
CREATE INDEX message_invalid ON message (id) WHERE state = 1;
CREATE INDEX message_correlation ON message (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX message_subject ON message (subject) WHERE subject IS NOT NULL;

-- The obligation. Its number is its message's number times 256 plus its place, so that neither needs an index.
CREATE TABLE delivery (
    seq             INTEGER PRIMARY KEY,
    receiver        TEXT    NOT NULL,
    state           INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),  -- pending, delivered, dead, cancelled
    phase           INTEGER CHECK (phase BETWEEN 0 AND 2),              -- ready, waiting, held
    hold            TEXT,
    ordering_key    INTEGER,
    due_at          INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    expires_at      INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    crashes         INTEGER NOT NULL DEFAULT 0,
    settled_at      INTEGER,
    fault           TEXT,
    format          TEXT    NOT NULL,
    format_version  INTEGER NOT NULL,
    output_hash     BLOB    NOT NULL,
    CHECK ((state = 0) = (phase IS NOT NULL)),
    CHECK ((phase IS 2) = (hold IS NOT NULL)),
    CHECK ((state = 0) = (settled_at IS NULL)),
    CHECK (state <> 2 OR fault IS NOT NULL)
) STRICT;
CREATE INDEX delivery_ready ON delivery (receiver, due_at, seq) WHERE phase = 0;
CREATE INDEX delivery_waiting ON delivery (receiver, next_attempt_at) WHERE phase = 1;
CREATE INDEX delivery_held ON delivery (receiver, hold, due_at) WHERE phase = 2;
CREATE INDEX delivery_order ON delivery (ordering_key, seq) WHERE state = 0 AND ordering_key IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (receiver, seq) WHERE state = 2;

-- The finished bytes, apart from the row that changes.
CREATE TABLE parcel (
    seq          INTEGER PRIMARY KEY,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL
) STRICT;

-- The index of open promises. Its number is its delivery's times 16 plus its place.
CREATE TABLE deadline (
    seq          INTEGER PRIMARY KEY,
    promise      TEXT    NOT NULL,
    starts_at    INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    step         INTEGER NOT NULL DEFAULT 0,
    next_step_at INTEGER,
    met_at       INTEGER,
    ended_at     INTEGER,
    CHECK (due_at > starts_at),
    CHECK (next_step_at IS NULL OR (met_at IS NULL AND ended_at IS NULL))
) STRICT;
CREATE INDEX deadline_step ON deadline (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX deadline_endangered ON deadline (step, due_at) WHERE step >= 75 AND met_at IS NULL AND ended_at IS NULL;

-- What happened, append-only, written in the transaction of the change it tells.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    message  INTEGER NOT NULL,
    delivery INTEGER,
    at       INTEGER NOT NULL,
    what     TEXT    NOT NULL,
    data     TEXT
) STRICT;
CREATE INDEX event_message ON event (message);

-- What senders are told, one ordered log per party; published and fetched by cursor.
CREATE TABLE answer (
    seq      INTEGER PRIMARY KEY,
    party    TEXT    NOT NULL,
    message  INTEGER NOT NULL,
    delivery INTEGER,
    outcome  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    data     TEXT
) STRICT;
CREATE INDEX answer_party ON answer (party, seq);

CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lane (
    receiver   TEXT PRIMARY KEY,
    circuit    TEXT NOT NULL,
    paused     TEXT,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    seq             INTEGER PRIMARY KEY,
    key             TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    condition       TEXT    NOT NULL,
    opened_at       INTEGER NOT NULL,
    acknowledged_at INTEGER,
    resolved_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE resolved_at IS NULL;

CREATE TABLE alert_change (
    seq       INTEGER PRIMARY KEY,
    alert     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    what      TEXT    NOT NULL,
    condition TEXT    NOT NULL
) STRICT;

-- Redelivered messages that are being judged: what is left here after a crash was in hand at the crash.
CREATE TABLE in_hand (
    key      BLOB PRIMARY KEY,
    way      TEXT    NOT NULL,
    party    TEXT    NOT NULL,
    first_at INTEGER NOT NULL,
    times    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people did.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    who  TEXT    NOT NULL,
    what TEXT    NOT NULL,
    data TEXT
) STRICT;
