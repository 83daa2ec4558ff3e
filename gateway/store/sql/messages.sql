-- name: message
-- One message by its transid.
SELECT * FROM messages WHERE id = :id;

-- name: place
-- Where a message, or else the next younger one, stands in the order of writing, which is by age.
SELECT rowid FROM messages WHERE id >= :id ORDER BY id LIMIT 1;

-- name: messages
-- Search, newest first: by rowid, which every index ends with by itself and which is small.  Parameters that
-- are '' match all.
SELECT * FROM messages
WHERE rowid < :before
  AND (:direction = '' OR direction = :direction)
ORDER BY rowid DESC LIMIT :limit;

-- name: messages_by_service
-- The same for one service: walks the index on it.
SELECT * FROM messages
WHERE service = :service AND rowid < :before
  AND (:direction = '' OR direction = :direction)
  AND (:status = '' OR status = :status)
ORDER BY rowid DESC LIMIT :limit;

-- name: messages_by_status
-- The same for one status: walks the index on it.
SELECT * FROM messages
WHERE status = :status AND rowid < :before
  AND (:direction = '' OR direction = :direction)
ORDER BY rowid DESC LIMIT :limit;

-- name: messages_by_address
-- The same for one address, as sender or recipient: a shortcode has millions of messages, so each side
-- walks its own index and stops at the limit (an OR would collect and sort them all).
SELECT * FROM (
  SELECT rowid AS place, * FROM messages
  WHERE recipient = :address AND rowid < :before
    AND (:service = '' OR service = :service)
    AND (:direction = '' OR direction = :direction)
    AND (:status = '' OR status = :status)
    AND (:correlationid = '' OR correlationid = :correlationid)
  ORDER BY rowid DESC LIMIT :limit)
UNION
SELECT * FROM (
  SELECT rowid AS place, * FROM messages
  WHERE sender = :address AND rowid < :before
    AND (:service = '' OR service = :service)
    AND (:direction = '' OR direction = :direction)
    AND (:status = '' OR status = :status)
    AND (:correlationid = '' OR correlationid = :correlationid)
  ORDER BY rowid DESC LIMIT :limit)
ORDER BY place DESC LIMIT :limit;

-- name: messages_by_correlationid
-- The same for one correlationid: few rows.
SELECT * FROM messages
WHERE correlationid = :correlationid AND correlationid != '' AND rowid < :before
  AND (:service = '' OR service = :service)
  AND (:direction = '' OR direction = :direction)
  AND (:status = '' OR status = :status)
  AND (:address = '' OR sender = :address OR recipient = :address)
ORDER BY rowid DESC LIMIT :limit;

-- name: unhandled
-- MO whose decision is still owed, oldest first.
SELECT * FROM messages WHERE status = 'received' AND direction = 'mo' ORDER BY rowid LIMIT :limit;

-- name: parked
-- MO of a suspended service, oldest first.
SELECT * FROM messages
WHERE status = 'parked' AND direction = 'mo' AND service = :service
ORDER BY rowid LIMIT :limit;

-- name: waiting
-- Messages whose step is being tried by a carrier, oldest first.
SELECT * FROM messages WHERE waits = :carrier AND waits != '' AND id > :after ORDER BY id LIMIT :limit;

-- name: carriers_owed
-- The carriers that messages wait for: one step in the index for each, however many messages there are.
WITH RECURSIVE next (carrier) AS (
  SELECT min(waits) FROM messages WHERE waits != ''
  UNION ALL
  SELECT (SELECT min(waits) FROM messages WHERE waits > next.carrier AND waits != '')
  FROM next WHERE carrier IS NOT NULL
)
SELECT carrier FROM next WHERE carrier IS NOT NULL;

-- name: messages_per_status
-- How many messages there are in each status.
SELECT status, count(*) FROM messages GROUP BY status;

-- name: segments
-- The segments of one message, in the order of sending.
SELECT * FROM segments WHERE message = :message ORDER BY step, part;

-- name: segments_of
-- The youngest segments that the carrier behind a bind knows by this id (carriers use an id again after a
-- while), or by one that differs in leading zeros and case only: one index finds both.
SELECT * FROM segments
WHERE bind = :bind AND ltrim(lower(smsc_id), '0') = ltrim(lower(:smsc_id), '0') AND smsc_id != ''
ORDER BY message DESC, step DESC, part DESC LIMIT 32;

-- name: segment_to
-- Of the messages to a recipient, the youngest segment that the carrier behind a bind knows by this id: some
-- carriers give all messages the same, and a receipt's address tells which is meant.
SELECT segments.* FROM messages CROSS JOIN segments ON segments.message = messages.id
WHERE messages.recipient = :recipient AND segments.bind = :bind AND segments.smsc_id = :smsc_id
ORDER BY messages.rowid DESC LIMIT 1;

-- name: unmatched
-- Receipts that came before the id they speak of was known, oldest first.
SELECT * FROM receipts
WHERE bind = :bind AND smsc_id = :smsc_id AND message = ''
ORDER BY received_at, id;

-- name: unmatched_since
-- Receipts that nobody has claimed, oldest first.  The index has them all by bind; there are few.
SELECT * FROM receipts
WHERE message = '' AND received_at >= :at
ORDER BY received_at, id;

-- name: segments_in_doubt
-- Segments without an answer of messages that are young enough for a receipt to come.
SELECT * FROM segments WHERE state = 'in-doubt' AND message >= :first ORDER BY message, step, part;

-- name: parts
-- Segments of long MOs that wait for the others, oldest first.
SELECT * FROM parts ORDER BY received_at, id;

-- name: offences
-- Who has offended one service, most often first.
SELECT * FROM offences WHERE service = :service ORDER BY count DESC, address;
