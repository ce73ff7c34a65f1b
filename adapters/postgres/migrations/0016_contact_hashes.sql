-- The keyed hashes by which the tickets and support tickets of a contact are found. Events hold them sealed with the
-- ticket's key, so that no copy of the history shows after an erasure which tickets had the same contact.
CREATE TABLE contact_hashes (
    owner_id   uuid    NOT NULL,
    hash       text    NOT NULL,
    is_current boolean NOT NULL DEFAULT true,
    PRIMARY KEY (owner_id, hash)
);

CREATE INDEX contact_hashes_by_hash ON contact_hashes (hash);

-- Earlier versions stored them in clear in the events.
INSERT INTO contact_hashes (owner_id, hash, is_current)
SELECT e.stream, e.hash, bool_or(e.is_last) FROM (
    SELECT stream, convert_from(state, 'UTF8')::json ->> 'contact_index' AS hash,
           position = max(position) OVER (PARTITION BY stream) AS is_last
      FROM events
     WHERE topic IN ('ticket_opened', 'contact_changed', 'contact_reindexed', 'support_ticket_opened')
) AS e
 WHERE e.hash IS NOT NULL AND NOT EXISTS (
    SELECT FROM events erased
     WHERE erased.stream = e.stream AND erased.topic IN ('erased', 'support_ticket_erased')
)
 GROUP BY e.stream, e.hash;
