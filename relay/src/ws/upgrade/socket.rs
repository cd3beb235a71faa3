//! What is written before a connection begins, and what is read after it ended.

use actix_rt::net::TcpStream;
use std::io;
use std::time::Duration;

pub(super) async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Closing a socket with unread bytes resets it, and the client would never read why: so what still comes is read and
/// dropped, for a moment.
pub(super) async fn linger(stream: &TcpStream) {
    const MOMENT: Duration = Duration::from_secs(1);
    const MOST_BYTES: usize = 16 * 1024 * 1024;
    let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
    let drain = async {
        let mut scratch = vec![0; 16 * 1024];
        let mut dropped = 0;
        while dropped < MOST_BYTES && stream.readable().await.is_ok() {
            match stream.try_read(&mut scratch) {
                Ok(0) => return,
                Ok(bytes) => dropped += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    let _ = tokio::time::timeout(MOMENT, drain).await;
}
