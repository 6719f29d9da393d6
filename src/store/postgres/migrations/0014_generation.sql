-- Configurations as they came into force.
CREATE TABLE generation (
    number       bigint PRIMARY KEY,
    hash         text   NOT NULL,
    activated_at bigint NOT NULL,
    who          text   NOT NULL,
    how          text   NOT NULL,
    repeats      bigint,
    node         text   NOT NULL,
    source       text   NOT NULL,
    effective    text   NOT NULL
);

-- What each node says that it runs.
CREATE TABLE node (
    name       text PRIMARY KEY,
    generation bigint NOT NULL,
    roles      text   NOT NULL,
    started_at bigint NOT NULL,
    since      bigint NOT NULL,
    seen_at    bigint NOT NULL,
    asked      bigint NOT NULL,
    failed     text
);

-- Requests that nodes read their configuration again.
CREATE TABLE reload_ask (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    who     text   NOT NULL,
    how     text   NOT NULL,
    repeats bigint,
    node    text
);
