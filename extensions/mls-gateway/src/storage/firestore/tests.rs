//! Against an emulator.
