//! Who is let into the room of a space.
