//! How the relay's own pages for people look: one style, no scripts, nothing from elsewhere.
//!
//! Invariant: what comes from a configuration goes through [`escape`].

use actix_web::HttpResponse;
use actix_web::http::header;
use std::fmt::Display;

/// A page with this title, around what is shown, which is markup already.
pub(super) fn page(title: &str, main: impl Display) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body><main>{main}</main></body></html>",
            escape(title)
        ))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#fafaf7;color:#222}\
    main{max-width:38rem;margin:12vh auto;padding:0 1.5rem}h1{margin:0}dl{display:grid;\
    grid-template-columns:7rem 1fr;gap:.4rem}dt{color:#777}dd{margin:0}.hint{color:#777}\
    p{white-space:pre-line;overflow-wrap:anywhere}h2{margin:2rem 0 0;font-size:1.2rem}a{color:inherit}\
    @media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}";

/// Text of the configuration as text of the page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn c24_text_of_the_configuration_is_no_markup() {
        assert_eq!(
            super::escape("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
