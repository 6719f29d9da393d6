-- What each lane of each node measured last: how fast its receiver works.
CREATE TABLE pace (
    receiver   text             COLLATE "C" NOT NULL,
    node       bigint           NOT NULL,
    per_second double precision NOT NULL,
    busy       double precision NOT NULL,
    able       double precision NOT NULL,
    took       double precision NOT NULL,
    at         bigint           NOT NULL,
    PRIMARY KEY (receiver, node)
);

-- Planned maintenance of receivers. What is over is forgotten here and stands in the audit.
CREATE TABLE maintenance (
    receiver text   COLLATE "C" NOT NULL,
    from_at  bigint NOT NULL,
    until_at bigint NOT NULL,
    reason   text   NOT NULL,
    who      text   NOT NULL,
    PRIMARY KEY (receiver, from_at, until_at),
    CHECK (until_at > from_at)
);
