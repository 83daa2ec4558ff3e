-- name: events
-- The transaction log of one transaction or run, in the order of writing.
SELECT * FROM events WHERE ref = :ref ORDER BY seq;

-- name: otps
-- Every one-time password that is kept, the oldest first.
SELECT * FROM otps ORDER BY id;

-- name: link
-- A smart link by its token.
SELECT * FROM links WHERE token = :token;

-- name: links_of
-- A service's links that were made for one customer.
SELECT * FROM links WHERE service = :service AND address = :address;

-- name: last_link
-- The number of the last link that was made.
SELECT max(number) FROM links;

-- name: link_counts
-- What has become of a service's links since a time, by name.
SELECT name, count(*), sum(clicks > 0), sum(clicks), sum(previews) FROM links
WHERE service = :service AND created_at >= :since
GROUP BY name ORDER BY name;

-- name: effects
-- Effects by key, which is by age.
SELECT * FROM effects WHERE key > :after ORDER BY key LIMIT :limit;

-- name: begun
-- What was handed to carriers and has no outcome yet, oldest first.
SELECT * FROM begun ORDER BY id;

-- name: timers
-- Every timer, the next first.
SELECT * FROM timers ORDER BY due, kind, ref;

-- name: notifications_pending
-- Notifications that are to be tried now, receiver by receiver, the longest due first.
SELECT * FROM notifications
WHERE state = 'pending' AND due <= :due_before
ORDER BY receiver, due, id LIMIT :limit;

-- name: notifications_of_receiver
-- Those of one receiver.
SELECT * FROM notifications
WHERE state = 'pending' AND receiver = :receiver AND due <= :due_before
ORDER BY due, id LIMIT :limit;

-- name: notification_receivers
-- Who is owed notifications, and since or until when.
SELECT receiver, min(due) AS due FROM notifications WHERE state = 'pending' GROUP BY receiver;

-- name: notification_refs
-- Which transactions have notifications waiting.
SELECT receiver, ref, due FROM notifications
WHERE state = 'pending'
ORDER BY receiver, due, id LIMIT :limit;

-- name: notification_dues
-- When the notifications of one receiver are due.
SELECT id, due FROM notifications
WHERE state = 'pending' AND receiver = :receiver
ORDER BY due, id LIMIT :limit;

-- name: notifications_by_state
-- The same for the other states.
SELECT * FROM notifications
WHERE state = :state AND state != 'pending' AND due <= :due_before AND (:receiver = '' OR receiver = :receiver)
ORDER BY due, id LIMIT :limit;

-- name: flow_version
-- The youngest version of a flow with this content.
SELECT * FROM flow_versions WHERE service = :service AND flow = :flow AND version = :version
ORDER BY number DESC LIMIT 1;

-- name: flow_versions
-- Every version of a flow.
SELECT * FROM flow_versions WHERE service = :service AND flow = :flow ORDER BY number;

-- name: flow_heads
-- Every version of every flow, without its definition.
SELECT service, flow, number, version FROM flow_versions ORDER BY service, flow, number;

-- name: flow_states
-- Which versions of flows are live.
SELECT * FROM flow_states ORDER BY service, flow;

-- name: run
-- One run by its session ID.
SELECT * FROM runs WHERE id = :id;

-- name: open_runs
-- Runs that have not ended, oldest first.
SELECT * FROM runs WHERE state != 'ended' ORDER BY created_at, id;

-- name: logbook
-- Rows of one Logbook by id, which is by age of their sessions.
SELECT * FROM logbook_rows
WHERE service = :service AND book = :book AND id > :after AND at < :before
ORDER BY id LIMIT :limit;

-- name: keyed_runs
-- Runs with a session key that began since then, oldest first.
SELECT * FROM runs WHERE key != '' AND created_at >= :since ORDER BY created_at, id;

-- name: sealed_runs
-- Runs of a service that ended before then, and whose details can still be read.
SELECT * FROM runs WHERE service = :service AND seal != '' AND state = 'ended' AND updated_at < :before
ORDER BY updated_at LIMIT :limit;

-- name: runs_of
-- The youngest runs of a flow that no other flow called.
SELECT * FROM runs WHERE service = :service AND flow = :flow AND parent = '' ORDER BY rowid DESC LIMIT :limit;
