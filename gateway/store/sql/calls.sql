-- name: call
-- One call by its transid.
SELECT * FROM calls WHERE id = :id;

-- name: calls
-- Newest first; state '' is all.
SELECT * FROM calls WHERE :state = '' OR state = :state ORDER BY started_at DESC, id DESC LIMIT :limit;

-- name: calls_open
-- Newest first, for the states in which few calls are at a time: walks the index of open calls.
SELECT * FROM calls WHERE state = :state AND state != 'ended' ORDER BY started_at DESC, id DESC LIMIT :limit;
