-- What was taken under no agreement, for the alert that tells of it.
CREATE INDEX message_uncovered ON message (received_at, party, receiver, receipt) WHERE state = 0 AND agreement IS NULL;
