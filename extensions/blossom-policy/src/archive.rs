//! What a key has uploaded as one archive, a tar of the POSIX format (ustar): each blob a file `<sha256>.<extension>`, dated
//! when it was uploaded, newest first.
//!
//! Invariant: in memory are a page of names and a few chunks, whatever there is; a blob is whole in the archive, or the
//! archive breaks off. What is hidden before its turn comes is not in it. Nobody is waited for without an end.

use crate::blob::MimeType;
use crate::block_lists::BlockLists;
use crate::holdings::{Holdings, HoldingsError};
use crate::index::{Blob, ListPage, Listed};
use crate::showing;
use crate::storage::StorageError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use trellis_relay::extension::prelude::*;

/// A tar is made of these.
const BLOCK_BYTES: usize = 512;
/// Names that are read at a time.
const PAGE: usize = 200;
/// What eleven octal digits can say; longer files have their length in binary, as all programs of today read it.
const OCTAL_BYTES_MAX: u64 = 0o777_7777_7777;

/// A part of an archive, or nothing at its end, or why it breaks off.
pub(crate) type Part = Result<Option<Bytes>, HoldingsError>;

/// What an archive is made of.
pub(crate) struct Archive {
    pub(crate) holdings: Holdings,
    pub(crate) lists: Arc<BlockLists>,
    pub(crate) owner: PublicKey,
    /// For how long a reader may take nothing.
    pub(crate) patience: Duration,
}

impl Archive {
    /// Writes the archive of a key's blobs to whoever reads it. Ends when nobody does.
    pub(crate) async fn write(&self, reader: Sender<Part>) {
        let reader = Reader {
            parts: reader,
            patience: self.patience,
        };
        if let Err(Broken::By(error)) = write_all(self, &reader).await {
            // Nobody is there to hear it any more, or the answer breaks off by it.
            let _ = reader.parts.try_send(Err(error));
        }
    }
}

/// The archive as an answer has it, which is an error where it does not come to its end.
pub(crate) fn read(parts: Receiver<Part>) -> impl Stream<Item = Result<Bytes, HoldingsError>> {
    stream::unfold(Some(parts), |parts| async move {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Ok(Some(bytes))) => Some((Ok(bytes), Some(parts))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(HoldingsError::CutOff), None)),
        }
    })
}

struct Reader {
    parts: Sender<Part>,
    patience: Duration,
}

enum Broken {
    By(HoldingsError),
    /// The reader is gone, or takes nothing.
    Left,
}

impl<E: Into<HoldingsError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Broken::By(error.into())
    }
}

async fn write_all(archive: &Archive, reader: &Reader) -> Result<(), Broken> {
    let mut after = None;
    loop {
        let page = ListPage {
            after,
            max: PAGE,
            ..ListPage::default()
        };
        let (holdings, lists) = (&archive.holdings, &archive.lists);
        let listed = showing::list(holdings, lists, &archive.owner, &page).await?;
        for item in &listed {
            // The page may be hours old.
            if let Some(blob) = showing::again(holdings, lists, &item.blob).await? {
                write_file(holdings, &blob, item, reader).await?;
            }
        }
        match listed.last() {
            Some(last) if listed.len() == PAGE => after = Some(last.place()),
            _ => break,
        }
    }
    // Two blocks of nothing end a tar.
    send(reader, Bytes::from_static(&[0; 2 * BLOCK_BYTES])).await?;
    send_part(reader, None).await
}

async fn write_file(
    holdings: &Holdings,
    blob: &Blob,
    item: &Listed,
    reader: &Reader,
) -> Result<(), Broken> {
    let mut bytes = match holdings.read(blob, 0..blob.size_bytes).await {
        Ok(bytes) => bytes,
        // It was given up meanwhile, or is lost.
        Err(HoldingsError::Storage(error @ StorageError::Missing)) => {
            if holdings.index().blob(&blob.sha256).await?.is_some() {
                tracing::error!(
                    "a blob of the index cannot be read, see `trellis blossom check`: {error}"
                );
            }
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mime_type = MimeType::parse(&blob.mime_type).unwrap_or(MimeType::OCTET_STREAM);
    let name = format!("{}.{}", blob.sha256, mime_type.extension());
    let header = header(&name, blob.size_bytes, item.claimed_ms / 1_000);
    send(reader, Bytes::copy_from_slice(&header)).await?;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(HoldingsError::Storage)?;
        send(reader, chunk).await?;
    }
    let rest = (blob.size_bytes % BLOCK_BYTES as u64) as usize;
    match rest {
        0 => Ok(()),
        rest => send(reader, Bytes::from(vec![0; BLOCK_BYTES - rest])).await,
    }
}

async fn send(reader: &Reader, bytes: Bytes) -> Result<(), Broken> {
    send_part(reader, Some(bytes)).await
}

async fn send_part(reader: &Reader, part: Option<Bytes>) -> Result<(), Broken> {
    let sent = reader.parts.send_timeout(Ok(part), reader.patience);
    sent.await.map_err(|_| Broken::Left)
}

/// The block before a file. The name has less than 100 bytes.
fn header(name: &str, size_bytes: u64, modified_s: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    match size_bytes > OCTAL_BYTES_MAX {
        false => put(124, format!("{size_bytes:011o}\0").as_bytes()),
        true => {
            put(124, &[0x80, 0, 0, 0]);
            put(128, &size_bytes.to_be_bytes());
        }
    }
    put(
        136,
        format!("{:011o}\0", modified_s.min(OCTAL_BYTES_MAX)).as_bytes(),
    );
    // The sum is made of a block that has spaces for it.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    let sum = format!("{sum:06o}\0 ");
    block[148..156].copy_from_slice(sum.as_bytes());
    block
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::blob::BlobHash;
    use crate::ground::{Ground, NOW_MS, WIDE, hash_of, key, noise};
    use crate::index::Banned;
    use futures_util::TryStreamExt;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What the system's tar lists of an archive.
    fn list(archive: &[u8]) -> String {
        let mut tar = Command::new("tar")
            .args(["-tvf", "-", "--utc", "--full-time"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(archive).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn b14_the_archive_is_one_that_tar_reads() {
        let mut archive = header("name.png", 5, 1_700_000_000).to_vec();
        archive.extend(b"hello");
        archive.extend([0; BLOCK_BYTES - 5]);
        archive.extend([0; 2 * BLOCK_BYTES]);
        let listed = list(&archive);
        assert!(
            listed.contains(" 5 2023-11-14 22:13:20 name.png"),
            "{listed}"
        );
    }

    async fn archive_of_two(patience: Duration) -> (Ground, Archive) {
        let ground = Ground::new(WIDE).await;
        for seed in 0..2 {
            ground.upload(&noise(seed, 1_000), &key(1)).await.unwrap();
        }
        let archive = Archive {
            holdings: ground.holdings.clone(),
            lists: Arc::new(BlockLists::load(Vec::new()).unwrap()),
            owner: key(1),
            patience,
        };
        (ground, archive)
    }

    #[tokio::test]
    async fn b14_what_is_banned_while_the_archive_is_read_is_not_in_it() {
        let (ground, archive) = archive_of_two(Duration::from_secs(60)).await;
        let (writer, mut reader) = tokio::sync::mpsc::channel(1);
        let writing = tokio::spawn(async move { archive.write(writer).await });
        let Some(Ok(Some(first))) = reader.recv().await else {
            panic!("no archive");
        };
        // Both names are read by now, and the second has not had its turn.
        let hashes = [0, 1].map(|seed| hash_of(&noise(seed, 1_000)));
        let is_first = |hash: &&BlobHash| first.starts_with(hash.to_string().as_bytes());
        let second = hashes.iter().find(|hash| !is_first(hash)).unwrap();
        let index = ground.holdings.index();
        let banned = Banned::Hash(*second);
        index.ban(&banned, "why", NOW_MS).await.unwrap();
        let rest: Vec<Bytes> = read(reader).try_collect().await.unwrap();
        writing.await.unwrap();
        let archive = [vec![first], rest].concat().concat();
        let listed = list(&archive);
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert!(!listed.contains(&second.to_string()), "{listed}");
    }

    #[tokio::test]
    async fn b14_an_archive_that_nobody_reads_breaks_off() {
        let (_ground, archive) = archive_of_two(Duration::from_millis(1)).await;
        let (writer, reader) = tokio::sync::mpsc::channel(1);
        archive.write(writer).await;
        let read: Result<Vec<Bytes>, _> = read(reader).try_collect().await;
        assert!(matches!(read, Err(HoldingsError::CutOff)), "{read:?}");
    }

    #[test]
    fn b14_a_file_may_be_longer_than_octal_digits_say() {
        let block = header("name.mp4", 1 << 40, 0);
        assert_eq!(&block[124..136], [0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    }
}
