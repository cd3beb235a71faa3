//! T2 and A4 to A8 by real processes: relays, the agents of a fleet, programs that a quorum has them run.
//!
//! Every node is a folder with a program, a shell script that a server of the test hands out and that writes its version
//! down when it is started. Votes are published over sockets, and what nodes did is read from their folders and from their
//! reports on the relays.

#![cfg(all(feature = "qube_agent", feature = "qube_coordination"))]

#[path = "t2_fleet/cable.rs"]
mod cable;
#[path = "t2_fleet/conditions.rs"]
mod conditions;
#[path = "t2_fleet/crash.rs"]
mod crash;
#[path = "t2_fleet/files.rs"]
mod files;
#[path = "t2_fleet/go_manager.rs"]
mod go_manager;
#[path = "t2_fleet/ground.rs"]
mod ground;
#[path = "t2_fleet/node.rs"]
mod node;
#[path = "t2_fleet/reboot.rs"]
mod reboot;
#[path = "t2_fleet/second_look.rs"]
mod second_look;
#[path = "t2_fleet/upgrade.rs"]
mod upgrade;
