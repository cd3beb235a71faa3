//! Coordination of a validator fleet by a signed quorum.
