//! A server of files on this machine: what was put there, to whom asks.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// The files by path, and who waits for a change of them.
type Kept = Arc<(Mutex<BTreeMap<String, Vec<u8>>>, Condvar)>;

/// A path is held back for as long as there is a file with its name and this.
const HOLD: &str = "#hold";

/// Serves until the test's process ends.
pub(crate) struct Files {
    address: SocketAddr,
    kept: Kept,
}

impl Files {
    pub(crate) fn serve() -> Files {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Kept::default();
        let files = kept.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let files = files.clone();
                thread::spawn(move || answer(socket, &files));
            }
        });
        Files { address, kept }
    }

    /// `http://127.0.0.1:PORT` and this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts a file at a path, which begins with a slash.
    pub(crate) fn put(&self, path: &str, content: &str) {
        let (kept, _) = &*self.kept;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(path.to_owned(), content.as_bytes().to_vec());
    }
}

impl Files {
    /// Takes the file at a path away.
    pub(crate) fn remove(&self, path: &str) {
        let (kept, changed) = &*self.kept;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(path);
        changed.notify_all();
    }

    /// Lets who asks for a path wait.
    pub(crate) fn hold(&self, path: &str) {
        self.put(&format!("{path}{HOLD}"), "");
    }

    /// Answers those who wait.
    pub(crate) fn let_go(&self, path: &str) {
        self.remove(&format!("{path}{HOLD}"));
    }
}

fn answer(mut socket: TcpStream, files: &Kept) {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut piece) {
            Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (kept, changed) = &**files;
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let hold = format!("{path}{HOLD}");
    let found = changed
        .wait_while(kept, |kept| kept.contains_key(&hold))
        .unwrap_or_else(PoisonError::into_inner);
    let (status, body) = match found.get(path) {
        Some(body) => ("200 OK", body.clone()),
        None => ("404 Not Found", Vec::new()),
    };
    drop(found);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _gone = socket.write_all(head.as_bytes());
    let _gone = socket.write_all(&body);
}
