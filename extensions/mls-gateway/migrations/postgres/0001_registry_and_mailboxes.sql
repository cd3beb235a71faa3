-- Ids are compared byte by byte: pages go on where the last one ended, whatever the database's language.
CREATE TABLE IF NOT EXISTS groups (
  group_id TEXT COLLATE "C" PRIMARY KEY,
  display_name TEXT,
  avatar_url TEXT,
  owner_pubkey TEXT,
  last_epoch BIGINT,
  last_event_ts BIGINT,
  relays TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS mail_keypackages (
  id TEXT COLLATE "C" PRIMARY KEY,
  recipient_pubkey TEXT NOT NULL,
  sender_pubkey TEXT NOT NULL,
  content_b64 TEXT NOT NULL,
  tags TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  picked_up_at BIGINT
);

CREATE TABLE IF NOT EXISTS mail_welcomes (
  id TEXT COLLATE "C" PRIMARY KEY,
  recipient_pubkey TEXT NOT NULL,
  sender_pubkey TEXT NOT NULL,
  group_id TEXT NOT NULL,
  welcome_b64 TEXT NOT NULL,
  ratchet_tree_b64 TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  picked_up_at BIGINT
);

CREATE INDEX IF NOT EXISTS idx_groups_updated ON groups(updated_at);
CREATE INDEX IF NOT EXISTS idx_keypackages_recipient ON mail_keypackages(recipient_pubkey);
CREATE INDEX IF NOT EXISTS idx_welcomes_recipient ON mail_welcomes(recipient_pubkey);
