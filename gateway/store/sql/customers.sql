-- name: opted_out
-- Everybody who said STOP.
SELECT * FROM consents WHERE opted_out = 1 ORDER BY service, address;

-- name: opted_in
-- Everybody who has said yes to one service last, by every channel or by SMS; some twice.
SELECT address FROM consents
WHERE service = :service AND channel IN ('', 'sms') AND opted_out = 0;

-- name: consents
-- What a customer has said to a service, for each channel.
SELECT * FROM consents WHERE service = :service AND address = :address ORDER BY channel;

-- name: consent_changes
-- All that a customer has ever said to a service, newest first.
SELECT * FROM consent_changes
WHERE service = :service AND address = :address
ORDER BY seq DESC LIMIT :limit;

-- name: sent_since
-- What a service has sent since a message of that id, as far as it was applicable: walks the ids of all.
SELECT recipient, created_at FROM messages
WHERE id >= :first AND +service = :service AND direction = 'mt' AND consent_exempt = 0
  AND code != 'not-applicable'
ORDER BY id;

-- name: customers
-- Every profile.
SELECT * FROM customers ORDER BY service, address;

-- name: raised
-- Custom events by their correlationid, oldest first.
SELECT * FROM raised ORDER BY at;

-- name: devices
-- Every app of a customer's that has a token.
SELECT * FROM devices ORDER BY created_at;
