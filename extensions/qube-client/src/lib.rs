//! Several relays at once, for the agents and the tools of a fleet.
