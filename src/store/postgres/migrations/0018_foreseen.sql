-- A second way may go before its time where the forecast says that the first will be late: from when on, and whose the first is.
ALTER TABLE delivery ADD COLUMN early_at bigint, ADD COLUMN first_receiver text;
CREATE INDEX delivery_early ON delivery (first_receiver, early_at, due_at) WHERE hold = 'fallback';
