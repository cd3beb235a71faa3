//! Downloads from a server in this process.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers every request with the same bytes, head included.
async fn server(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = socket.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let _gone = socket.write_all(&answer(path)).await;
        }
    });
    format!("http://{address}/file").parse().expect("a URL")
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn downloader(allow_http: bool) -> Downloader {
    let settings = config::Download {
        allow_http,
        ..config::Download::default()
    };
    Downloader::new(&settings).expect("a client")
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("staged");
    (folder, file)
}

#[tokio::test]
async fn a4_a_file_that_hashes_right_is_there_and_cannot_be_run() {
    let url = server(|_| ok("program")).await;
    let (_folder, to) = place();
    let expected = Digest::of(b"program");
    let fetched = downloader(true)
        .fetch(&url, &to, 100, Some(&expected))
        .await;
    assert_eq!(fetched.expect("fetched"), expected);
    assert_eq!(hash_of(&to).expect("read"), Some(expected));
    let mode = std::fs::metadata(&to).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a4_a_file_that_hashes_wrong_is_removed() {
    let url = server(|_| ok("another")).await;
    let (_folder, to) = place();
    let expected = Digest::of(b"program");
    let fetched = downloader(true)
        .fetch(&url, &to, 100, Some(&expected))
        .await;
    let error = fetched.expect_err("a mismatch");
    assert!(error.to_string().contains("hash mismatch") && !error.is_passing());
    assert!(!to.exists());
}

#[tokio::test]
async fn a4_too_many_bytes_are_refused_announced_or_not() {
    let announced = server(|_| ok(&"x".repeat(101))).await;
    let unannounced = server(|_| {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        format!("{head}{}", "x".repeat(101)).into_bytes()
    })
    .await;
    for url in [announced, unannounced] {
        let (_folder, to) = place();
        let fetched = downloader(true).fetch(&url, &to, 100, None).await;
        assert!(
            matches!(fetched, Err(DownloadError::TooLarge(100))),
            "{fetched:?}"
        );
        assert!(!to.exists());
    }
}

#[tokio::test]
async fn a4_only_https_unless_the_operator_allows_it() {
    let url = server(|_| ok("program")).await;
    let (_folder, to) = place();
    let fetched = downloader(false).fetch(&url, &to, 100, None).await;
    assert!(
        matches!(fetched, Err(DownloadError::NotSecure(_))),
        "{fetched:?}"
    );
}

#[tokio::test]
async fn a4_redirects_are_followed_but_not_for_ever() {
    let once = server(|path| match path {
        "/file" => b"HTTP/1.1 302 Found\r\nlocation: /real\r\nconnection: close\r\n\r\n".to_vec(),
        _ => ok("program"),
    })
    .await;
    let (_folder, to) = place();
    let fetched = downloader(true).fetch(&once, &to, 100, None).await;
    assert_eq!(fetched.expect("fetched"), Digest::of(b"program"));
    let circle =
        server(|_| b"HTTP/1.1 302 Found\r\nlocation: /file\r\nconnection: close\r\n\r\n".to_vec())
            .await;
    let fetched = downloader(true).fetch(&circle, &to, 100, None).await;
    let error = fetched.expect_err("a circle").to_string();
    assert!(error.contains("redirect"), "{error}");
}

#[tokio::test]
async fn a4_nothing_is_written_into_a_file_that_was_there() {
    use std::fs::{Permissions, set_permissions, write};
    let url = server(|_| ok("program")).await;
    let (folder, to) = place();
    write(&to, "left behind").expect("written");
    set_permissions(&to, Permissions::from_mode(0o755)).expect("a mode");
    let held = std::fs::hard_link(&to, folder.path().join("held"));
    held.expect("another name");
    let fetched = downloader(true).fetch(&url, &to, 100, None).await;
    fetched.expect("fetched");
    let mode = std::fs::metadata(&to).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read_to_string(folder.path().join("held"));
    assert_eq!(before.expect("the old file"), "left behind");
}

#[tokio::test]
async fn a4_a_probe_is_told_what_its_page_answers() {
    let url = server(|path| match path {
        "/file" => b"HTTP/1.1 302 Found\r\nlocation: /ui\r\nconnection: close\r\n\r\n".to_vec(),
        _ => ok("well"),
    })
    .await;
    let downloader = downloader(false);
    let error = downloader.is_well(&url).await.expect_err("a redirect");
    assert!(error.contains("302") && error.contains("2xx"), "{error}");
    let page = url.join("/ui").expect("a URL");
    downloader.is_well(&page).await.expect("well");
}
