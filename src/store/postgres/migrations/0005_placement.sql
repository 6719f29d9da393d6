-- Who is not placed with an a-kasse, by a hash of the two parties and the citizen, and from when.
CREATE TABLE placement (
    key        bytea PRIMARY KEY,
    opted_out  bigint,
    special    bigint,
    message    bigint NOT NULL
);
