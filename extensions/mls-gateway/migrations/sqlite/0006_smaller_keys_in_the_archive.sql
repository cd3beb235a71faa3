-- Of what a message costs, most is the pages that its entries in the indexes make dirty, so entries are small: keys and ids
-- are bytes and no longer digits, and of a group's id the end tells enough to look at few others. Rows that the gateway did
-- not write are left out.
ALTER TABLE archived_events RENAME TO archived_before;
DROP INDEX idx_archived_group;
DROP INDEX idx_archived_recipient;
DROP INDEX idx_archived_author;
CREATE TABLE archived_events (
  position INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  pubkey BLOB NOT NULL,
  group_id TEXT,
  recipient_pubkey BLOB,
  created_at INTEGER NOT NULL,
  archived_at INTEGER NOT NULL,
  event TEXT NOT NULL
);
INSERT OR IGNORE INTO archived_events
  SELECT position, unhex(id), kind, unhex(pubkey), group_id, unhex(recipient_pubkey), created_at, archived_at, event
  FROM archived_before ORDER BY position;
DROP TABLE archived_before;
CREATE INDEX idx_archived_group ON archived_events(substr(group_id, -16), position, created_at)
  WHERE group_id IS NOT NULL;
CREATE INDEX idx_archived_recipient ON archived_events(recipient_pubkey, position, created_at)
  WHERE recipient_pubkey IS NOT NULL;
CREATE INDEX idx_archived_author ON archived_events(substr(pubkey, 1, 8));
