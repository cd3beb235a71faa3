//! Private groups and direct messages: MLS over Nostr.
