-- Hashes and keys are their bytes, times are milliseconds since 1970.

-- What the storage holds.
CREATE TABLE blobs (
  sha256 BLOB PRIMARY KEY,
  size_bytes INTEGER NOT NULL,
  mime_type TEXT NOT NULL,
  uploaded_ms INTEGER NOT NULL,
  -- When somebody last claimed it, from which on it is kept.
  kept_from_ms INTEGER NOT NULL,
  is_encrypted INTEGER NOT NULL,
  -- Why it is shown to nobody; null where it is shown.
  quarantined_for TEXT,
  md5 BLOB,
  sha1 BLOB
) WITHOUT ROWID;
CREATE INDEX blobs_by_age ON blobs(kept_from_ms, sha256);

-- Whose they are.
CREATE TABLE owners (
  pubkey BLOB NOT NULL,
  sha256 BLOB NOT NULL REFERENCES blobs(sha256) ON DELETE CASCADE,
  claimed_ms INTEGER NOT NULL,
  PRIMARY KEY (pubkey, sha256)
) WITHOUT ROWID;
CREATE INDEX owners_of_blob ON owners(sha256);
CREATE INDEX owners_by_time ON owners(pubkey, claimed_ms, sha256);

-- Blobs that are on their way into the storage or out of it. What stands here at the start was interrupted.
CREATE TABLE changes (
  sha256 BLOB PRIMARY KEY
) WITHOUT ROWID;

-- What is not taken: 0 a hash, 1 whatever a key uploads.
CREATE TABLE bans (
  kind INTEGER NOT NULL,
  subject BLOB NOT NULL,
  reason TEXT NOT NULL,
  banned_ms INTEGER NOT NULL,
  PRIMARY KEY (kind, subject)
) WITHOUT ROWID;

-- Blobs, and why their hashes are banned, if they are.
CREATE VIEW blobs_and_bans AS
  SELECT blobs.*, (SELECT reason FROM bans WHERE kind = 0 AND subject = blobs.sha256) AS banned_for FROM blobs;

-- What was reported (kind 1984) and waits for somebody to look, or was looked at.
CREATE TABLE reports (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id BLOB NOT NULL,
  sha256 BLOB NOT NULL,
  reporter BLOB NOT NULL,
  kind TEXT NOT NULL,
  content TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  -- Null while it waits.
  outcome TEXT,
  UNIQUE (event_id, sha256)
);
CREATE INDEX reports_of_blob ON reports(sha256);
CREATE INDEX reports_waiting ON reports(number) WHERE outcome IS NULL;
CREATE INDEX reports_done ON reports(received_ms) WHERE outcome IS NOT NULL;

-- What operators and moderators have decided.
CREATE TABLE decisions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  decided_ms INTEGER NOT NULL,
  decided_by TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL
);
