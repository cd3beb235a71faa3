//! A port that nobody listens on.
//!
//! Not promised: that it stays free. Whoever can, binds port 0 and asks which one it got.

use std::net::TcpListener;

/// A port of this machine that was free just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
