//! What a request to `/proxy` asks for: a form of several parts (`multipart/form-data`).
//!
//! Invariant: bounded in parts and bytes; a part that comes twice is refused, so that nobody reads another one than was
//! checked.

use crate::failure::{Code, Failure};
use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

/// The parts that are text may have so many bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// What is around the file: boundaries, headers, the other parts.
pub(super) const FRAME_BYTES_MAX: usize = 64 << 10;
const PARTS_MAX: usize = 16;
/// So much of a body is looked at in one go.
const PART_BYTES: usize = 64 << 10;
/// What a file is whose sender does not say so.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Upload(File),
    /// From this URL, which is not checked yet.
    Download(String),
}

/// A file to be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) mime_type: String,
}

#[derive(Default)]
struct Parts {
    action: Option<String>,
    service: Option<String>,
    url: Option<String>,
    file: Option<File>,
}

/// Reads the form in a body. `file_bytes_max` bounds the file.
pub(super) async fn read(
    request: &HttpRequest,
    body: Bytes,
    file_bytes_max: usize,
) -> Result<Wish, Failure> {
    let mut form = Multipart::new(request.headers(), in_parts(body));
    let (mut parts, mut count) = (Parts::default(), 0);
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|error| wrong(format!("the body is no form: {error}")))?;
        count += 1;
        if count > PARTS_MAX {
            return Err(wrong(format!("a form may have {PARTS_MAX} parts")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "action" => set(&name, &mut parts.action, text(&name, &mut field).await?)?,
            "service" => set(&name, &mut parts.service, text(&name, &mut field).await?)?,
            "url" => set(&name, &mut parts.url, text(&name, &mut field).await?)?,
            "file" => {
                let mime_type = field.content_type().map(|it| it.essence_str().to_owned());
                let file = File {
                    bytes: bytes(&name, &mut field, file_bytes_max).await?,
                    mime_type: mime_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
                };
                set(&name, &mut parts.file, file)?;
            }
            _ => drop(bytes(&name, &mut field, TEXT_BYTES_MAX).await?),
        }
    }
    parts.wish()
}

/// A body in parts, between which others on this thread have their turn: to look through a large one takes long.
fn in_parts(body: Bytes) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::unfold(body, |mut body| async move {
        if body.is_empty() {
            return None;
        }
        tokio::task::yield_now().await;
        let part = body.split_to(body.len().min(PART_BYTES));
        Some((Ok(part), body))
    })
    // The reader of forms asks once more after the end.
    .fuse()
}

impl Parts {
    fn wish(self) -> Result<Wish, Failure> {
        if self.service.as_deref().is_some_and(|it| it != "blossom") {
            return Err(wrong("service must be blossom"));
        }
        match (self.action.as_deref(), self.file, self.url) {
            (Some("upload"), Some(file), None) if !file.bytes.is_empty() => Ok(Wish::Upload(file)),
            (Some("upload"), Some(_), None) => Err(wrong("the file is empty")),
            (Some("upload"), ..) => Err(wrong("an upload has a part file, and no url")),
            (Some("download"), None, Some(url)) => Ok(Wish::Download(url)),
            (Some("download"), ..) => Err(wrong("a download has a part url, and no file")),
            _ => Err(wrong("action must be upload or download")),
        }
    }
}

fn set<T>(name: &str, part: &mut Option<T>, value: T) -> Result<(), Failure> {
    match part.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(format!("the part {name} is there twice"))),
    }
}

async fn text(name: &str, field: &mut Field) -> Result<String, Failure> {
    let bytes = bytes(name, field, TEXT_BYTES_MAX).await?;
    let text = String::from_utf8(bytes.to_vec());
    text.map_err(|_| wrong(format!("the part {name} is no text")))
}

async fn bytes(name: &str, field: &mut Field, max_bytes: usize) -> Result<Bytes, Failure> {
    let read = field.bytes(max_bytes).await.map_err(|_| {
        // What the client called the part is nothing to repeat, unless it is one of ours.
        let name = if name == "file" { "the file" } else { "a part" };
        Failure::new(Code::TooLarge, format!("{name} may have {max_bytes} bytes"))
    })?;
    read.map_err(|error| wrong(format!("the body is no form: {error}")))
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidRequest, message)
}
