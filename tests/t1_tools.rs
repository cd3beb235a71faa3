//! T1: `trellis qube` as people use it: the real program, real relays, keys in files.

#![cfg(feature = "qube_coordination")]

#[path = "t1_tools/blob_server.rs"]
mod blob_server;
#[path = "t1_tools/genesis.rs"]
mod genesis;
#[path = "t1_tools/ground.rs"]
mod ground;
#[path = "t1_tools/keys.rs"]
mod keys;
#[path = "t1_tools/launching.rs"]
mod launching;
#[path = "t1_tools/pages.rs"]
mod pages;
#[path = "t1_tools/reading.rs"]
mod reading;
#[path = "t1_tools/signing.rs"]
mod signing;
