//! Ports that nobody listens on.
//!
//! Not promised: that they stay free. Whoever can, binds port 0 and asks which one it got. But they lie below those that the
//! system gives to whoever asks for any, and each is given once in a process, so only chance takes them meanwhile.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// By default Linux gives those from 32,768 on (`net.ipv4.ip_local_port_range`), and macOS those from 49,152 on.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port of this machine that was free just now, for TCP and UDP alike.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different ones.
    let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..COUNT {
        let number = begin + u32::from(NEXT.fetch_add(1, Relaxed));
        let port = FIRST + u16::try_from(number % u32::from(COUNT)).expect("below the count");
        let address = ("127.0.0.1", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
