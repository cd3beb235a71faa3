//! `/policy`: the rules under which the relay is run, as a page, as Markdown, as text or as JSON, by `Accept`.
//!
//! What to say is the operator's, in `[policy]`; without it there is no page. Not here: where NIP-11 points to it.

use super::markup::{self, escape};
use super::{error, nothing};
use crate::config::{Policy, PolicySection};
use crate::relay::Relay;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, Accept, Header as _, HeaderValue, Quality};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

/// Where it is.
pub(super) const PATH: &str = "/policy";

pub(super) async fn policy(request: HttpRequest, relay: web::Data<Arc<Relay>>) -> HttpResponse {
    let config = relay.config();
    if !config.policy.is_published() {
        return nothing();
    }
    let name = &config.information.name;
    let mut response = match Format::wanted(&request) {
        Format::Html => markup::page(&title(name), html(name, &config.policy)),
        Format::Markdown => text("text/markdown", markdown(name, &config.policy)),
        Format::Plain => text("text/plain", plain(name, &config.policy)),
        Format::Json => HttpResponse::Ok().json(json!({
            "relay": name,
            "sections": config.policy.sections(),
        })),
        Format::None => error(
            StatusCode::NOT_ACCEPTABLE,
            "the policy is text/html, text/markdown, text/plain or application/json",
        ),
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// How somebody wants to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Markdown,
    Plain,
    Json,
    /// None of these.
    None,
}

impl Format {
    /// What is liked best of what there is; a page for who does not say.
    fn wanted(request: &HttpRequest) -> Self {
        let said = Accept::parse(request).ok();
        let said = said.filter(|accept| !accept.is_empty());
        let accept = said.unwrap_or_else(Accept::star);
        let (mut wanted, mut most) = (Format::None, Quality::ZERO);
        for (format, kinds) in FORMATS {
            let liked = quality(&accept, kinds);
            if liked > most {
                (wanted, most) = (format, liked);
            }
        }
        wanted
    }
}

/// What there is, in the relay's own order.
const FORMATS: [(Format, &[&str]); 4] = [
    (Format::Html, &["text/html", "application/xhtml+xml"]),
    (Format::Markdown, &["text/markdown"]),
    (Format::Plain, &["text/plain"]),
    (Format::Json, &["application/json"]),
];

/// How much somebody likes a kind of text, by whichever of its names: what is said of it alone beats what is said of many.
fn quality(accept: &Accept, kinds: &[&str]) -> Quality {
    let class = kinds.first().and_then(|kind| kind.split_once('/'));
    let of_class = class.map(|(class, _)| format!("{class}/*"));
    let said_of = |wanted: &str| {
        let range = accept
            .iter()
            .find(|range| range.item.essence_str() == wanted);
        range.map(|range| range.quality)
    };
    let said = kinds.iter().find_map(|kind| said_of(kind));
    let said = said.or_else(|| said_of(&of_class?));
    said.or_else(|| said_of("*/*")).unwrap_or(Quality::ZERO)
}

fn title(name: &str) -> String {
    format!("Policy of {name}")
}

fn html(name: &str, policy: &Policy) -> String {
    let mut main = format!("<h1>{}</h1>", escape(&title(name)));
    for PolicySection { id, title, text } in policy.sections() {
        // Writing to a String cannot fail.
        let _ = write!(main, "<h2 id=\"{id}\">{title}</h2>");
        for paragraph in paragraphs(text) {
            let _ = write!(main, "<p>{}</p>", escape(&paragraph));
        }
    }
    main
}

/// What stands between empty lines.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.trim().lines() {
        match paragraphs.last_mut() {
            Some(last) if !line.trim().is_empty() => {
                if !last.is_empty() {
                    last.push('\n');
                }
                last.push_str(line);
            }
            Some(last) if last.is_empty() => {}
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs
}

fn markdown(name: &str, policy: &Policy) -> String {
    let mut text = format!("# {}\n", title(name));
    for section in policy.sections() {
        let _ = write!(text, "\n## {}\n\n{}\n", section.title, section.text.trim());
    }
    text
}

fn plain(name: &str, policy: &Policy) -> String {
    let mut text = format!("{}\n", title(name).to_uppercase());
    for section in policy.sections() {
        let heading = section.title.to_uppercase();
        let _ = write!(text, "\n{heading}\n\n{}\n", section.text.trim());
    }
    text
}

fn text(kind: &str, body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(format!("{kind}; charset=utf-8"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn c29_the_policy_is_read_as_the_reader_likes_it() {
        for (accept, wanted) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Html),
            ("*/*", Format::Html),
            ("text/markdown, text/html;q=0.5", Format::Markdown),
            ("text/plain;q=0.9, application/json;q=0.1", Format::Plain),
            ("application/json", Format::Json),
            ("application/json;q=0.2, text/plain", Format::Plain),
            ("image/png, application/json", Format::Json),
            ("image/png", Format::None),
            ("image/png, text/html;q=0", Format::None),
            ("text/html;q=0, */*", Format::Markdown),
            (
                "text/html;q=0.2, application/xhtml+xml;q=0, */*;q=0.8",
                Format::Markdown,
            ),
            ("text/*;q=0, */*", Format::Json),
            ("text/*;q=0.3, application/json;q=0.2", Format::Html),
            ("", Format::Html),
            ("nonsense", Format::Html),
        ] {
            let request = TestRequest::default().insert_header(("accept", accept));
            let request = request.to_http_request();
            assert_eq!(Format::wanted(&request), wanted, "{accept}");
        }
        let unsaid = TestRequest::default().to_http_request();
        assert_eq!(Format::wanted(&unsaid), Format::Html);
    }

    #[test]
    fn c29_empty_lines_end_paragraphs_and_nothing_else_is_markup() {
        let lines = "\none\ntwo\n\n \nthree\n\n";
        assert_eq!(paragraphs(lines), ["one\ntwo", "three"]);
        let policy = Policy {
            contact: Some("<script>alert(1)</script>\n\nSee \"us\" & co".to_owned()),
            ..Policy::default()
        };
        let page = html("<b>", &policy);
        let wanted = "<h1>Policy of &lt;b&gt;</h1><h2 id=\"contact\">Contact information</h2>\
                      <p>&lt;script&gt;alert(1)&lt;/script&gt;</p><p>See &quot;us&quot; &amp; co</p>";
        assert_eq!(page, wanted);
    }
}
