-- What waits for its next attempt, by its deadline: an open circuit probes with the nearest.
CREATE INDEX delivery_waiting_due ON delivery (receiver, due_at, seq) WHERE phase = 1;

-- What a promise may wait for and has come, one narrow row for each message of such a kind. A promise that is stored
-- after what it waits for finds it here.
CREATE TABLE came (
    message     bigint PRIMARY KEY,
    about       bytea  NOT NULL,
    kind        text   COLLATE "C" NOT NULL,
    -- The first record of the same thing: its own number where it corrects none.
    first       bigint NOT NULL,
    -- When it happened in the business. NULL: it says that it did not.
    happened_at bigint,
    received_at bigint NOT NULL
);
CREATE INDEX came_about ON came (about, kind, message);

-- What a tracing system of the sender's wants carried along (W3C Trace Context).
ALTER TABLE message ADD COLUMN tracestate text;

-- Pending deliveries that promise more than to be delivered, by their deadline: what can only be met after them is
-- endangered with them. And clocks that stand still, which are few.
CREATE INDEX delivery_clocked ON delivery (receiver, due_at, seq) WHERE state = 0 AND clocks > 0;
CREATE INDEX deadline_paused ON deadline (seq) WHERE paused_at IS NOT NULL AND met_at IS NULL AND ended_at IS NULL;
