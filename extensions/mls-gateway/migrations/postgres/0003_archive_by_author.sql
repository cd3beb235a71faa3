CREATE INDEX idx_archived_author ON archived_events(pubkey, created_at);
