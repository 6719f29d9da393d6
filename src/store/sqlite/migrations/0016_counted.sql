-- What is counted of each message, in the order in which they came: the key figures read this and not the messages,
-- whose bytes lie between.
DROP INDEX message_received;
CREATE INDEX message_counted ON message (received_at, seq, occurred_at, state, way, kind, source, receiver, agreement, case_state);

-- Only of complaints is it told that no agreement covers them.
DROP INDEX message_uncovered;
CREATE INDEX message_uncovered ON message (received_at, party, receiver, receipt)
    WHERE state = 0 AND agreement IS NULL AND kind LIKE 'complaint.v%';
