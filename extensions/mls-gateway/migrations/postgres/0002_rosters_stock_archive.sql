ALTER TABLE mail_keypackages ADD COLUMN acknowledged_at BIGINT;
ALTER TABLE mail_welcomes ADD COLUMN acknowledged_at BIGINT;
CREATE INDEX idx_keypackages_expires ON mail_keypackages(expires_at);
CREATE INDEX idx_welcomes_expires ON mail_welcomes(expires_at);

-- The last number that was given out, by what it numbers. Its row is locked by the transaction that takes one until that
-- is committed, so that numbers come into sight in their order.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('rosters', 0), ('archive', 0);

-- A revision is a number of all rosters together: it says which of two writes was later, whatever their groups.
CREATE TABLE rosters (
  group_id TEXT COLLATE "C" PRIMARY KEY,
  seq BIGINT NOT NULL,
  event_id TEXT,
  revision BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_rosters_revision ON rosters(revision);

CREATE TABLE members (
  group_id TEXT COLLATE "C" NOT NULL,
  pubkey TEXT COLLATE "C" NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (group_id, pubkey)
);
CREATE INDEX idx_members_pubkey ON members(pubkey, group_id);

CREATE TABLE packages (
  id TEXT COLLATE "C" PRIMARY KEY,
  owner_pubkey TEXT COLLATE "C" NOT NULL,
  reference TEXT,
  ciphersuite TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  reserved_at BIGINT
);
-- References are as long as their authors like; an index has no room for that.
CREATE UNIQUE INDEX idx_packages_reference ON packages(owner_pubkey, md5(reference));
CREATE INDEX idx_packages_owner ON packages(owner_pubkey, created_at, id);
CREATE INDEX idx_packages_expires ON packages(expires_at);

CREATE TABLE archived_events (
  position BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind BIGINT NOT NULL,
  pubkey TEXT NOT NULL,
  group_id TEXT COLLATE "C",
  recipient_pubkey TEXT,
  created_at BIGINT NOT NULL,
  archived_at BIGINT NOT NULL,
  event TEXT NOT NULL
);
CREATE INDEX idx_archived_group ON archived_events(group_id, position, created_at) WHERE group_id IS NOT NULL;
CREATE INDEX idx_archived_recipient ON archived_events(recipient_pubkey, position, created_at)
  WHERE recipient_pubkey IS NOT NULL;
CREATE INDEX idx_archived_at ON archived_events(archived_at);
