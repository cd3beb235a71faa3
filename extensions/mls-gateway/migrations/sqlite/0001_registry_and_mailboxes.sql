-- Databases with just these tables and indexes are older than this program's list of migrations; they are taken over as
-- they are.
CREATE TABLE IF NOT EXISTS groups (
  group_id TEXT PRIMARY KEY,
  display_name TEXT,
  avatar_url TEXT,
  owner_pubkey TEXT,
  last_epoch INTEGER,
  last_event_ts INTEGER,
  relays TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS mail_keypackages (
  id TEXT PRIMARY KEY,
  recipient_pubkey TEXT NOT NULL,
  sender_pubkey TEXT NOT NULL,
  content_b64 TEXT NOT NULL,
  tags TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  picked_up_at INTEGER
);

CREATE TABLE IF NOT EXISTS mail_welcomes (
  id TEXT PRIMARY KEY,
  recipient_pubkey TEXT NOT NULL,
  sender_pubkey TEXT NOT NULL,
  group_id TEXT NOT NULL,
  welcome_b64 TEXT NOT NULL,
  ratchet_tree_b64 TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  picked_up_at INTEGER
);

CREATE INDEX IF NOT EXISTS idx_groups_updated ON groups(updated_at);
CREATE INDEX IF NOT EXISTS idx_keypackages_recipient ON mail_keypackages(recipient_pubkey);
CREATE INDEX IF NOT EXISTS idx_welcomes_recipient ON mail_welcomes(recipient_pubkey);
