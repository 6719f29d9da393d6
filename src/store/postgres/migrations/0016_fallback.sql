-- The other of two ways to the same party: the lower number is the first way's, which has the promise. A second way is
-- held as 'fallback' until its next attempt's time, and here stands when it was let go.
ALTER TABLE delivery ADD COLUMN other_way bigint, ADD COLUMN released_at bigint;
CREATE INDEX delivery_fallback ON delivery (next_attempt_at) WHERE hold = 'fallback';
CREATE INDEX delivery_released ON delivery (released_at) WHERE released_at IS NOT NULL;
