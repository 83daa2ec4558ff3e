-- name: audit_messages
-- Every message, in the order of writing.
SELECT rowid, service, direction, status FROM messages WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: audit_open
-- Messages in one status, with what would move them on.
SELECT
  rowid, id, service, updated_at,
  waits != '',
  EXISTS (SELECT 1 FROM timers WHERE kind = 'step' AND ref = m.id)
    OR EXISTS (SELECT 1 FROM timers WHERE kind = 'held' AND ref = m.id),
  EXISTS (SELECT 1 FROM segments WHERE message = m.id)
FROM messages AS m WHERE status = :status AND rowid > :after ORDER BY rowid LIMIT :limit;

-- name: audit_calls
-- The messages of calls that are going on: few at a time.
SELECT message FROM calls WHERE state != 'ended';

-- name: audit_effects
-- Effects, with 1 for each whose run is not there or is over.
SELECT
  key,
  NOT EXISTS (SELECT 1 FROM runs WHERE id = e.ref AND state != 'ended')
FROM effects AS e WHERE key > :after ORDER BY key LIMIT :limit;

-- name: audit_timers
-- The same for timers.
SELECT
  kind || '/' || ref,
  NOT EXISTS (SELECT 1 FROM messages WHERE id = t.ref AND status IN ('queued', 'sent'))
    AND NOT EXISTS (SELECT 1 FROM runs WHERE id = t.ref AND state != 'ended')
FROM timers AS t
WHERE (kind, ref) > (substr(:after, 1, instr(:after, '/') - 1), substr(:after, instr(:after, '/') + 1))
ORDER BY kind, ref LIMIT :limit;

-- name: audit_segments
-- The first segments of messages, with 1 for each whose message is not there.
SELECT
  message,
  NOT EXISTS (SELECT 1 FROM messages WHERE id = s.message)
FROM segments AS s WHERE message > :after ORDER BY message LIMIT :limit;

-- name: audit_notifications_count
-- Notifications that are owed.
SELECT count(*) FROM notifications WHERE state = 'pending';

-- name: audit_dead_count
-- Notifications that were given up.
SELECT count(*) FROM notifications WHERE state = 'dead' AND state != 'pending';

-- name: audit_unmatched_count
-- Receipts that speak of nothing known.
SELECT count(*) FROM receipts WHERE message = '';

-- name: audit_runs_count
-- Flow sessions that go on.
SELECT count(*) FROM runs WHERE state != 'ended';
