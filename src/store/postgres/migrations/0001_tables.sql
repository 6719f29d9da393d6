-- Instants are microseconds since 1970, UTC. A delivery's number is its message's times 256 plus its place, a
-- deadline's its delivery's times 16 plus its place: every table but the logs follows its message's number, which
-- grows with time, so that each can be cut into slices by ranges of it. What must be unique over all time
-- (an identity) has a table of its own for that reason.

-- Which sender's id is which message.
CREATE TABLE identity (
    source  text   COLLATE "C" NOT NULL,
    id      text   COLLATE "C" NOT NULL,
    message bigint NOT NULL,
    hash    bytea  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (source, id)
);

CREATE SEQUENCE message_seq AS bigint;

-- A message as it arrived.
CREATE TABLE message (
    seq          bigint   PRIMARY KEY DEFAULT nextval('message_seq'),
    receipt      uuid     NOT NULL,
    state        smallint NOT NULL CHECK (state IN (0, 1)),   -- 0 accepted, 1 invalid
    party        text     NOT NULL,
    source       text,
    id           text     COLLATE "C",
    kind         text,
    receiver     text,
    agreement    text,
    subject      text     COLLATE "C",
    correlation  text     COLLATE "C",
    causation    text,
    traceparent  text,
    occurred_at  bigint,
    recorded_at  bigint,
    sent_at      bigint,
    received_at  bigint   NOT NULL,
    way          text     NOT NULL,
    generation   bigint   NOT NULL,
    answers      smallint NOT NULL,
    findings     text,
    content_type text,
    headers      text,
    raw          bytea,
    -- The party in whose queue it lay, where that was not its own to fill.
    astray_in    text,
    CHECK (state = 1 OR (source IS NOT NULL AND id IS NOT NULL AND kind IS NOT NULL))
);
ALTER TABLE message ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX message_receipt ON message (receipt);
CREATE INDEX message_id ON message (id) WHERE id IS NOT NULL;
CREATE INDEX message_correlation ON message (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX message_subject ON message (subject) WHERE subject IS NOT NULL;

CREATE INDEX message_astray ON message (received_at, astray_in, party) WHERE astray_in IS NOT NULL;

CREATE SEQUENCE lease_token AS bigint;
CREATE SEQUENCE node_seq AS bigint;

-- The obligation. Room is left in each page, so that a lease, which touches no index, stays in its page.
CREATE TABLE delivery (
    seq             bigint   PRIMARY KEY,
    receiver        text     COLLATE "C" NOT NULL,
    state           smallint NOT NULL CHECK (state IN (0, 1, 2, 3)),  -- pending, delivered, dead, cancelled
    phase           smallint CHECK (phase IN (0, 1, 2)),              -- ready, waiting, held
    hold            text,
    ordering_key    bigint,
    due_at          bigint   NOT NULL,
    next_attempt_at bigint   NOT NULL,
    expires_at      bigint,
    attempts        integer  NOT NULL DEFAULT 0,
    crashes         integer  NOT NULL DEFAULT 0,
    -- How often a person had it tried again after its death.
    rounds          integer  NOT NULL DEFAULT 0,
    settled_at      bigint,
    fault           text,
    format          text     NOT NULL,
    format_version  integer  NOT NULL,
    output_hash     bytea    NOT NULL,
    lease_node      bigint,
    lease_token     bigint,
    leased_until    bigint,
    CHECK ((state = 0) = (phase IS NOT NULL)),
    CHECK ((phase IS NOT DISTINCT FROM 2) = (hold IS NOT NULL)),
    CHECK ((state = 0) = (settled_at IS NULL)),
    CHECK (state <> 2 OR fault IS NOT NULL),
    CHECK ((lease_node IS NULL) = (lease_token IS NULL) AND (lease_node IS NULL) = (leased_until IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX delivery_ready ON delivery (receiver, due_at, seq) WHERE phase = 0;
CREATE INDEX delivery_waiting ON delivery (receiver, next_attempt_at) WHERE phase = 1;
CREATE INDEX delivery_held ON delivery (receiver, hold, due_at) WHERE phase = 2;
CREATE INDEX delivery_order ON delivery (ordering_key, seq) WHERE state = 0 AND ordering_key IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (receiver, seq) WHERE state = 2;

-- The finished bytes, apart from the row that changes.
CREATE TABLE parcel (
    seq          bigint PRIMARY KEY,
    content_type text   NOT NULL,
    body         bytea  NOT NULL
);
ALTER TABLE parcel ALTER COLUMN body SET STORAGE EXTERNAL;

-- The index of open promises.
CREATE TABLE deadline (
    seq          bigint   PRIMARY KEY,
    promise      text     NOT NULL,
    starts_at    bigint   NOT NULL,
    due_at       bigint   NOT NULL,
    step         smallint NOT NULL DEFAULT 0,
    next_step_at bigint,
    met_at       bigint,
    ended_at     bigint,
    -- It ended because a person waived it, and does not begin again.
    waived       boolean  NOT NULL DEFAULT false CHECK (NOT waived OR ended_at IS NOT NULL),
    CHECK (due_at > starts_at),
    CHECK (next_step_at IS NULL OR (met_at IS NULL AND ended_at IS NULL))
);
CREATE INDEX deadline_step ON deadline (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX deadline_endangered ON deadline (step, due_at) WHERE step >= 75 AND met_at IS NULL AND ended_at IS NULL;

-- What happened, append-only, written in the transaction of the change it tells.
CREATE TABLE event (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message  bigint NOT NULL,
    delivery bigint,
    at       bigint NOT NULL,
    what     text   NOT NULL,
    data     text
);
CREATE INDEX event_message ON event (message, seq);

-- What senders are told; published and fetched by cursor. Written under a lock that is held until the commit, so
-- that no row becomes visible after one with a higher number.
CREATE TABLE answer (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    party    text   NOT NULL,
    message  bigint NOT NULL,
    delivery bigint,
    outcome  text   NOT NULL,
    at       bigint NOT NULL,
    data     text
);
CREATE INDEX answer_party ON answer (party, seq);

-- How far a log is read, and which node may tell the world of it until when.
CREATE TABLE cursor (
    name       text        PRIMARY KEY,
    seq        bigint      NOT NULL,
    reader     bigint,
    read_until timestamptz
);

CREATE TABLE lane (
    receiver   text   COLLATE "C" PRIMARY KEY,
    circuit    text   NOT NULL,
    paused     text,
    changed_at bigint NOT NULL
);

CREATE TABLE alert (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text   NOT NULL,
    name            text   NOT NULL,
    condition       text   NOT NULL,
    opened_at       bigint NOT NULL,
    acknowledged_at bigint,
    resolved_at     bigint
);
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE resolved_at IS NULL;

-- Under the same lock as answers.
CREATE TABLE alert_change (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert     bigint NOT NULL,
    at        bigint NOT NULL,
    what      text   NOT NULL,
    condition text   NOT NULL
);

-- Redelivered messages that are being judged: what is left here after a crash was in hand at the crash.
CREATE TABLE in_hand (
    key      bytea   PRIMARY KEY,
    way      text    NOT NULL,
    party    text    NOT NULL,
    first_at bigint  NOT NULL,
    times    integer NOT NULL
);

-- What people did.
CREATE TABLE audit (
    seq  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   bigint NOT NULL,
    who  text   NOT NULL,
    what text   NOT NULL,
    data text
);

-- The last batch that each node committed: what a node asks for when the answer to its COMMIT was lost.
CREATE TABLE commit_mark (
    node  bigint      PRIMARY KEY,
    batch bigint      NOT NULL,
    at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
