-- How many pages of events were copied. The relay counts as well: a database that is behind it, such as a replica that took
-- over too early, is filled again.
ALTER TABLE relays ADD COLUMN copied BIGINT NOT NULL DEFAULT 0;

-- For directives that become known after the reports on them.
CREATE INDEX acks_by_subject ON acks (network, developer, version, action);
