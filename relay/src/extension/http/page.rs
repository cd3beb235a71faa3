//! Lists in pages: what a client asks for, and what it gets.
//!
//! A cursor is opaque to clients and names a place, not a number of items, so that a list may change between two pages.
//! It is not signed: what a handler reads from one is to be checked as any other input is.

use super::describe::Describe;
use super::error::ApiError;
use super::operation::Inputs;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::future::{Ready, ready};
use std::str::FromStr;

/// A cursor in a request has at most so many characters.
const CURSOR_CHARS_MAX: usize = 1_024;
/// What fits into one.
const PLACE_BYTES_MAX: usize = CURSOR_CHARS_MAX / 4 * 3;

/// Extractor: which part of a list is asked for, by the query parameters `limit` and `cursor`. Without a `limit` it is
/// `DEFAULT` items; more than `MAX` become `MAX`.
///
/// ```
/// use actix_web::web::Json;
/// use trellis_relay::extension::prelude::*;
/// async fn numbers(page: Page<10, 100>) -> Result<Json<PageOf<u64>>, ApiError> {
///     let after: u64 = page.after_as()?.unwrap_or(0);
///     let found: Vec<u64> = (after + 1..=1_000).take(page.fetch()).collect();
///     Ok(Json(page.of(found, |last| last.to_string())))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<const DEFAULT: usize = 50, const MAX: usize = 100> {
    limit: usize,
    after: Option<Vec<u8>>,
}

/// A part of a list, and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageOf<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<const DEFAULT: usize, const MAX: usize> Page<DEFAULT, MAX> {
    /// So many items are wanted: 1 to `MAX`.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// So many to look for: one more than are wanted, which tells whether there is another page.
    pub fn fetch(&self) -> usize {
        self.limit + 1
    }

    /// The place after which to go on, as [`Page::of`] was given it; `None` on the first page. A client may have made it
    /// up.
    pub fn after(&self) -> Option<&[u8]> {
        self.after.as_deref()
    }

    /// The same, read from its text form. One that cannot be read is the client's error.
    pub fn after_as<T: FromStr>(&self) -> Result<Option<T>, ApiError> {
        let Some(after) = &self.after else {
            return Ok(None);
        };
        let text = std::str::from_utf8(after).map_err(|_| bad_cursor())?;
        text.parse().map(Some).map_err(|_| bad_cursor())
    }

    /// The page made of what was found, [`Page::fetch`] items at most; `place` names the place of the last item on it, in
    /// at most 768 bytes. With a longer one the list ends here, and the log says so: nobody could send such a cursor.
    pub fn of<T, P: AsRef<[u8]>>(
        &self,
        mut found: Vec<T>,
        place: impl FnOnce(&T) -> P,
    ) -> PageOf<T> {
        let goes_on = found.len() > self.limit;
        found.truncate(self.limit);
        let last = found.last().filter(|_| goes_on);
        let next = last.and_then(|last| cursor(place(last).as_ref()));
        PageOf { next, items: found }
    }

    fn read(query: &str) -> Result<Self, ApiError> {
        let mut page = Page {
            limit: DEFAULT.clamp(1, MAX.max(1)),
            after: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit: &usize| *limit > 0);
                    let limit = limit.ok_or_else(|| {
                        ApiError::bad_request(format!(
                            "limit must be a number of at least 1; a page has {MAX} items at most"
                        ))
                    })?;
                    page.limit = limit.min(MAX.max(1));
                }
                "cursor" if value.len() > CURSOR_CHARS_MAX => return Err(bad_cursor()),
                "cursor" => {
                    let place = URL_SAFE_NO_PAD.decode(&*value);
                    page.after = Some(place.map_err(|_| bad_cursor())?);
                }
                _ => {}
            }
        }
        Ok(page)
    }
}

fn cursor(place: &[u8]) -> Option<String> {
    let bytes = place.len();
    if bytes > PLACE_BYTES_MAX {
        tracing::error!(
            bytes,
            "a list ends early: the place of an item is too long for a cursor"
        );
        return None;
    }
    Some(URL_SAFE_NO_PAD.encode(place))
}

fn bad_cursor() -> ApiError {
    ApiError::bad_request("cursor must be the `next` of a page before; leave it out to begin anew")
}

impl<const DEFAULT: usize, const MAX: usize> FromRequest for Page<DEFAULT, MAX> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()))
    }
}

impl<const DEFAULT: usize, const MAX: usize> Describe for Page<DEFAULT, MAX> {
    fn describe(inputs: &mut Inputs<'_>) {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX, "default": DEFAULT });
        inputs.query_parameter(
            "limit",
            "Items on a page; more than the maximum become it.",
            limit,
        );
        let cursor = json!({ "type": "string", "maxLength": CURSOR_CHARS_MAX });
        inputs.query_parameter("cursor", "The `next` of the page before.", cursor);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page<2, 3>, ApiError> {
        Page::read(query)
    }

    #[test]
    fn e11_pages_are_bounded_and_go_on_where_they_ended() {
        let first = page("").unwrap();
        assert_eq!((first.limit(), first.fetch(), first.after()), (2, 3, None));
        let got = first.of(vec![1, 2, 3], |last| last.to_string());
        assert_eq!(got.items, [1, 2]);
        let next = page(&format!("limit=9&cursor={}", got.next.unwrap())).unwrap();
        assert_eq!((next.limit(), next.after_as().unwrap()), (3, Some(2)));
        let last = next.of(vec![3, 4, 5], |last| last.to_string());
        assert_eq!((last.items.len(), last.next), (3, None));
    }

    #[test]
    fn e11_what_a_limit_may_be_is_said_as_it_is_taken() {
        for wrong in ["limit=0", "limit=-1", "limit=many", "limit="] {
            let problem = page(wrong).unwrap_err().to_string();
            let wanted = "limit must be a number of at least 1; a page has 3 items at most";
            assert!(problem.contains(wanted), "{wrong}: {problem}");
        }
    }

    #[test]
    fn e11_a_cursor_may_be_any_bytes() {
        let key = [0, 255, 7];
        let got = page("limit=1").unwrap().of(vec![(), ()], |()| key);
        let next = page(&format!("cursor={}", got.next.unwrap())).unwrap();
        assert_eq!(next.after(), Some(&key[..]));
        assert!(next.after_as::<u64>().is_err());
    }

    #[test]
    fn e11_every_cursor_that_is_handed_out_is_taken_back() {
        let next = |bytes: usize| {
            let found = page("limit=1")
                .unwrap()
                .of(vec![(), ()], |()| vec![7; bytes]);
            found.next
        };
        let longest = next(PLACE_BYTES_MAX).unwrap();
        let after = page(&format!("cursor={longest}")).unwrap();
        assert_eq!(after.after().map(<[u8]>::len), Some(PLACE_BYTES_MAX));
        assert_eq!(next(PLACE_BYTES_MAX + 1), None);
    }

    #[test]
    fn e11_what_is_no_limit_and_no_cursor_is_refused() {
        for limit in ["0", "-1", "x", "", "1.5"] {
            let error = page(&format!("limit={limit}")).unwrap_err();
            assert!(error.to_string().contains("limit"), "{error}");
        }
        for cursor in ["?", "%00", &"A".repeat(1_025)] {
            let error = page(&format!("cursor={cursor}")).unwrap_err();
            assert!(error.to_string().contains("cursor"), "{error}");
        }
    }
}
