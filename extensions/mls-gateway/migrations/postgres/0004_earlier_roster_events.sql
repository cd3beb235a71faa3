-- Roster events before the last one, newest first, by ids with a space between them: each may come again until it is stored.
ALTER TABLE rosters ADD COLUMN earlier_events TEXT;
