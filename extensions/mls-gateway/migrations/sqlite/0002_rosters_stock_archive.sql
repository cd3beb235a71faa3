ALTER TABLE mail_keypackages ADD COLUMN acknowledged_at INTEGER;
ALTER TABLE mail_welcomes ADD COLUMN acknowledged_at INTEGER;
CREATE INDEX idx_keypackages_expires ON mail_keypackages(expires_at);
CREATE INDEX idx_welcomes_expires ON mail_welcomes(expires_at);

-- The last number that was given out, by what it numbers. It is taken in the transaction that uses it, so that numbers
-- come into sight in their order.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('rosters', 0), ('archive', 0);

-- A revision is a number of all rosters together: it says which of two writes was later, whatever their groups.
CREATE TABLE rosters (
  group_id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  event_id TEXT,
  revision INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX idx_rosters_revision ON rosters(revision);

CREATE TABLE members (
  group_id TEXT NOT NULL,
  pubkey TEXT NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (group_id, pubkey)
) WITHOUT ROWID;
CREATE INDEX idx_members_pubkey ON members(pubkey, group_id);

CREATE TABLE packages (
  id TEXT PRIMARY KEY,
  owner_pubkey TEXT NOT NULL,
  reference TEXT,
  ciphersuite TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  reserved_at INTEGER
);
CREATE UNIQUE INDEX idx_packages_reference ON packages(owner_pubkey, reference);
CREATE INDEX idx_packages_owner ON packages(owner_pubkey, created_at, id);
CREATE INDEX idx_packages_expires ON packages(expires_at);

CREATE TABLE archived_events (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  pubkey TEXT NOT NULL,
  group_id TEXT,
  recipient_pubkey TEXT,
  created_at INTEGER NOT NULL,
  archived_at INTEGER NOT NULL,
  event TEXT NOT NULL
);
CREATE INDEX idx_archived_group ON archived_events(group_id, position, created_at) WHERE group_id IS NOT NULL;
CREATE INDEX idx_archived_recipient ON archived_events(recipient_pubkey, position, created_at)
  WHERE recipient_pubkey IS NOT NULL;
CREATE INDEX idx_archived_at ON archived_events(archived_at);
