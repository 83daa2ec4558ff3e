-- name: call
-- One call by its transid.
SELECT * FROM calls WHERE id = :id;

-- name: calls
-- Newest first, after (:at, :id); '' is all, and so is a caller of NULL.
SELECT * FROM calls
WHERE (started_at, id) < (:at, :id) AND started_at >= :since AND started_at < :until
  AND (:service = '' OR service = :service) AND (:direction = '' OR direction = :direction)
  AND (:trunk = '' OR trunk = :trunk) AND (:called = '' OR called = :called)
  AND (:cause = '' OR cause = :cause) AND (:sip_call_id = '' OR sip_call_id = :sip_call_id)
  AND (:state = '' OR state = :state)
ORDER BY started_at DESC, id DESC LIMIT :limit;

-- name: calls_by_caller
-- The same of one caller.
SELECT * FROM calls
WHERE caller = :caller AND (started_at, id) < (:at, :id) AND started_at >= :since AND started_at < :until
  AND (:service = '' OR service = :service) AND (:direction = '' OR direction = :direction)
  AND (:trunk = '' OR trunk = :trunk) AND (:called = '' OR called = :called)
  AND (:cause = '' OR cause = :cause) AND (:sip_call_id = '' OR sip_call_id = :sip_call_id)
  AND (:state = '' OR state = :state)
ORDER BY started_at DESC, id DESC LIMIT :limit;

-- name: calls_in_state
-- The same for the states in which few calls are at a time: walks the index of open calls.
SELECT * FROM calls
WHERE state != 'ended' AND (started_at, id) < (:at, :id) AND started_at >= :since AND started_at < :until
  AND (:service = '' OR service = :service) AND (:direction = '' OR direction = :direction)
  AND (:trunk = '' OR trunk = :trunk) AND (:called = '' OR called = :called)
  AND (:cause = '' OR cause = :cause) AND (:sip_call_id = '' OR sip_call_id = :sip_call_id)
  AND state = :state
ORDER BY started_at DESC, id DESC LIMIT :limit;

-- name: open_calls
-- Oldest first.
SELECT * FROM calls WHERE state != 'ended' ORDER BY started_at, id;
