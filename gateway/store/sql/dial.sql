-- name: dial_lists
-- Newest first; '' is all.
SELECT * FROM dial_lists
WHERE (:service = '' OR service = :service) AND (:name = '' OR name = :name)
ORDER BY id DESC LIMIT :limit;

-- name: dial_due
-- Entries of a list that wait and whose time has come, the longest due first.
SELECT * FROM dial_entries
WHERE state = 'waiting' AND list = :list AND due <= :now
ORDER BY due, position LIMIT :limit;

-- name: dial_next
-- When the first entry of those that wait is due.
SELECT due FROM dial_entries WHERE state = 'waiting' AND list = :list ORDER BY due, position LIMIT 1;

-- name: dial_counts
-- How many entries of a list are in each state.
SELECT state, count(*) FROM dial_entries WHERE list = :list GROUP BY state;

-- name: dial_entries
-- The entries of a list by position.
SELECT * FROM dial_entries WHERE list = :list AND position > :after ORDER BY position LIMIT :limit;

-- name: dial_entries_in_state
-- The same of those in one state.
SELECT * FROM dial_entries
WHERE list = :list AND state = :state AND position > :after ORDER BY position LIMIT :limit;
