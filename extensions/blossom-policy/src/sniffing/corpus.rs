//! Files of all kinds, and what they are.
