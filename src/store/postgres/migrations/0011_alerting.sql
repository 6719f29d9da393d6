-- What people did about an open alert, and how far it climbed; who made a change, and what it says.
ALTER TABLE alert ADD COLUMN handling text;
ALTER TABLE alert_change ADD COLUMN particulars text;

-- Open promises by their deadline, and those with half their time used: who counts by the time left walks over no others.
CREATE INDEX deadline_near ON deadline (due_at) WHERE step < 75 AND met_at IS NULL AND ended_at IS NULL;
CREATE INDEX deadline_half ON deadline (seq) WHERE step = 50 AND met_at IS NULL AND ended_at IS NULL;

-- Waivers that wait for a second person.
CREATE TABLE waiver_request (
    delivery bigint PRIMARY KEY,
    who      text   NOT NULL,
    reason   text   NOT NULL,
    at       bigint NOT NULL
);
