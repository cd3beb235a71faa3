-- Each message costs an entry in each index. The archive grows in the order of time, so that what is old stands in front;
-- and of an author a few letters tell enough, where keys are as long as all others together.
DROP INDEX idx_archived_at;
DROP INDEX idx_archived_author;
CREATE INDEX idx_archived_author ON archived_events(substr(pubkey, 1, 8));
