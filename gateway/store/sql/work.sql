-- name: events
-- The transaction log of one transaction or run, in the order of writing.
SELECT * FROM events WHERE ref = :ref ORDER BY seq;

-- name: effects
-- Effects by key, which is by age.
SELECT * FROM effects WHERE key > :after AND (:state = '' OR state = :state) ORDER BY key LIMIT :limit;

-- name: effects_by_carrier
-- The same for one bind or trunk.
SELECT * FROM effects
WHERE carrier = :carrier AND key > :after AND (:state = '' OR state = :state)
ORDER BY key LIMIT :limit;

-- name: begun
-- What was handed to carriers and has no outcome yet, oldest first.
SELECT * FROM begun ORDER BY id;

-- name: timers
-- Every timer, the next first.
SELECT * FROM timers ORDER BY due, kind, ref;

-- name: notifications_pending
-- Notifications that are to be tried now, the longest due first.
SELECT * FROM notifications WHERE state = 'pending' AND due <= :due_before ORDER BY due, id LIMIT :limit;

-- name: notifications_by_state
-- The same for the other states.
SELECT * FROM notifications
WHERE state = :state AND state != 'pending' AND due <= :due_before
ORDER BY due, id LIMIT :limit;

-- name: flow_version
-- One version of a flow.
SELECT * FROM flow_versions WHERE service = :service AND flow = :flow AND version = :version;

-- name: run
-- One run by its session ID.
SELECT * FROM runs WHERE id = :id;

-- name: open_runs
-- Runs that have not ended, oldest first.
SELECT * FROM runs WHERE state != 'ended' ORDER BY created_at, id;
