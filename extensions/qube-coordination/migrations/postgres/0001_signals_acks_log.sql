-- A copy of what a relay has; nothing is read from here by the relay but how far the copy goes. Times are in seconds since
-- 1970, ids and keys lowercase hex, events JSON as it was signed.
CREATE TABLE signals (
  id TEXT COLLATE "C" PRIMARY KEY,
  developer TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  network TEXT NOT NULL,
  action TEXT NOT NULL,
  action_key TEXT NOT NULL,
  version TEXT NOT NULL,
  hash TEXT NOT NULL,
  genesis_url TEXT,
  required_by BIGINT,
  event TEXT NOT NULL,
  -- Why it is no longer what the relay hands out; nothing while it is.
  removed_as TEXT
);

CREATE INDEX signals_by_network ON signals (network, created_at);
CREATE INDEX signals_by_action ON signals (action_key);

CREATE TABLE acks (
  id TEXT COLLATE "C" PRIMARY KEY,
  node TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  developer TEXT NOT NULL,
  network TEXT NOT NULL,
  action TEXT NOT NULL,
  version TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT,
  node_id TEXT NOT NULL,
  action_at BIGINT NOT NULL,
  -- The directive that it belongs to, where one is known.
  signal_id TEXT,
  event TEXT NOT NULL,
  removed_as TEXT
);

CREATE INDEX acks_by_network ON acks (network, created_at);
CREATE INDEX acks_by_node ON acks (network, node_id, action_at);
CREATE INDEX acks_by_signal ON acks (signal_id);

-- The append-only history; each entry's hash is over the one before. Every relay has its own.
CREATE TABLE log (
  relay TEXT COLLATE "C" NOT NULL,
  chain TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  event TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (relay, chain, seq)
);

-- Relays whose events from before the mirror are all here.
CREATE TABLE relays (
  relay TEXT COLLATE "C" PRIMARY KEY,
  filled_at BIGINT NOT NULL
);
