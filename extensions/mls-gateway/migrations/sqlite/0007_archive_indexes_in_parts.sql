-- An entry that stands anywhere in a large index makes a page dirty by itself, and keys that are used once stand anywhere.
-- So both indexes are ordered by parts of the archive first, 4,096 positions each: what is written together stands in the
-- few pages of the newest part, and who looks for a group or an author looks into each part.
DROP INDEX idx_archived_group;
DROP INDEX idx_archived_author;
CREATE INDEX idx_archived_group ON archived_events(position >> 12, substr(group_id, -16), position, created_at)
  WHERE group_id IS NOT NULL;
CREATE INDEX idx_archived_author ON archived_events(position >> 12, substr(pubkey, 1, 8));
