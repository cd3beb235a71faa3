//! D9: `trellis doctor` finds what would keep clients out, as a real process, with real certificates, disks and servers.

mod another_user;
mod certificates;
mod ground;
mod launch;
mod machine;
mod others;
