-- name: purge_open_runs
-- Sessions that go on, with the session above each and the transaction that began it.
SELECT created_at, id, parent, coalesce(json_extract(data, '$."session.transid"'), '') FROM runs
WHERE state != 'ended' AND (created_at, id) > (:at, :after)
ORDER BY created_at, id LIMIT :limit;

-- name: purge_open_messages
-- Messages in one status, touched since then, that are sent for a session.
SELECT rowid, run FROM messages
WHERE status = :status AND rowid > :after AND updated_at >= :since
ORDER BY rowid LIMIT :limit;

-- name: purge_owed
-- The transactions of notifications that are owed.
SELECT receiver, due, id, ref FROM notifications
WHERE state = 'pending' AND (receiver, due, id) > (:receiver, :at, :after)
ORDER BY receiver, due, id LIMIT :limit;

-- name: purge_open_lists
-- Call lists that are not through.
SELECT id FROM dial_lists WHERE state NOT IN ('stopped', 'done') ORDER BY id;

-- name: purge_open_entries
-- The sessions of the calls of a list.
SELECT position, run FROM dial_entries
WHERE list = :list AND position > :after
ORDER BY position LIMIT :limit;

-- name: purge_messages
-- Messages by id, which is by age.
SELECT id FROM messages WHERE id > :after AND id < :first ORDER BY id LIMIT :limit;

-- name: purge_finished_messages
-- Those of these messages that are over, with the session or call list that each was sent for: not in doubt,
-- sent so long ago that no receipt will come, no carrier or timer has them, and no link in them still leads
-- anywhere.  The plus keeps SQLite from walking
-- all that were delivered.
SELECT id, run FROM messages AS m
WHERE id IN (SELECT value FROM json_each(:ids))
  AND (+status IN ('delivered', 'read', 'answered', 'failed', 'expired', 'handled')
    OR +status = 'sent' AND updated_at < :receipts_before)
  AND updated_at < :before AND waits = '' AND (:service = '' OR service = :service)
  AND NOT EXISTS (SELECT 1 FROM timers WHERE kind IN ('step', 'held') AND ref = m.id)
  AND NOT EXISTS (SELECT 1 FROM timers WHERE kind = 'query' AND ref > m.id || '/' AND ref < m.id || '0')
  AND NOT EXISTS (SELECT 1 FROM segments WHERE message = m.id AND state = 'in-doubt')
  AND NOT EXISTS (
    SELECT 1 FROM links
    WHERE service = m.service AND address = m.recipient AND ref = m.id AND expires_at > :now);

-- name: purge_delete_messages
-- These, unless something has touched them since they were looked at.
DELETE FROM messages
WHERE id IN (SELECT value FROM json_each(:ids)) AND updated_at < :before AND waits = ''
RETURNING id;

-- name: purge_count_segments
-- The segments of messages.
SELECT count(*) FROM segments WHERE message IN (SELECT value FROM json_each(:ids));

-- name: purge_delete_segments
-- They go with their messages.
DELETE FROM segments WHERE message IN (SELECT value FROM json_each(:ids));

-- name: purge_count_events
-- The transaction logs of messages, sessions and calls.
SELECT count(*) FROM events WHERE ref IN (SELECT value FROM json_each(:ids));

-- name: purge_delete_events
-- They go with what they are about.
DELETE FROM events WHERE ref IN (SELECT value FROM json_each(:ids));

-- name: purge_receipts
-- Receipts by id, which is by age.
SELECT id FROM receipts WHERE id > :after AND id < :first ORDER BY id LIMIT :limit;

-- name: purge_finished_receipts
-- Those of these receipts that wait no more, with the message each was matched to, if that is there still.  One
-- that nobody has claimed is of no service.
SELECT id, coalesce((SELECT id FROM messages WHERE id = r.message), '') FROM receipts AS r
WHERE id IN (SELECT value FROM json_each(:ids)) AND received_at < :before
  AND (message != '' OR :service = '');

-- name: purge_delete_receipts
-- These.
DELETE FROM receipts WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING id;

-- name: purge_runs
-- Sessions by id, which is by age.
SELECT id FROM runs WHERE id > :after AND id < :first ORDER BY id LIMIT :limit;

-- name: purge_finished_runs
-- Those of these sessions that have ended, with the session above each: nothing is owed or timed for them, and
-- their key keeps no second one away.
SELECT id, parent FROM runs AS r
WHERE id IN (SELECT value FROM json_each(:ids))
  AND state = 'ended' AND updated_at < :before AND (:service = '' OR service = :service)
  AND (key = '' OR created_at < :keyed_before)
  AND NOT EXISTS (SELECT 1 FROM effects WHERE key > r.id || '/' AND key < r.id || '0')
  AND NOT EXISTS (SELECT 1 FROM timers WHERE kind = 'run' AND ref = r.id);

-- name: purge_delete_runs
-- These, unless something has touched them since they were looked at.
DELETE FROM runs
WHERE id IN (SELECT value FROM json_each(:ids)) AND updated_at < :before AND state = 'ended'
RETURNING id;

-- name: purge_calls
-- Calls by id, which is by age.
SELECT id FROM calls WHERE id > :after AND id < :first ORDER BY id LIMIT :limit;

-- name: purge_finished_calls
-- Those of these calls that have ended, with the message whose step each was, if that is there still.
SELECT id, coalesce((SELECT id FROM messages WHERE id = c.message), '') FROM calls AS c
WHERE id IN (SELECT value FROM json_each(:ids))
  AND state = 'ended' AND ended_at < :before AND (:service = '' OR service = :service);

-- name: purge_delete_calls
-- These.
DELETE FROM calls WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'ended' RETURNING id;

-- name: purge_notifications
-- Notifications by id, which is by age.
SELECT id FROM notifications WHERE id > :after AND id < :first ORDER BY id LIMIT :limit;

-- name: purge_finished_notifications
-- Those of these that were given up.
SELECT id, '' FROM notifications
WHERE id IN (SELECT value FROM json_each(:ids))
  AND state = 'dead' AND due < :before AND (:service = '' OR service = :service);

-- name: purge_delete_notifications
-- These.
DELETE FROM notifications WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'dead' RETURNING id;
