//! Takes out of a text what says where somebody is: network addresses, and addresses of mail.
//!
//! Pure. Addresses of the machine itself (loopback, unspecified) name nobody and stay. Names of people, telephone numbers and
//! the like cannot be told from other words: whoever writes a text that is kept has to leave them out.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

/// What stands in the place of what was taken out.
pub const REMOVED: &str = "[removed]";

/// The text without addresses.
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    let text = each_piece(text, is_of_mail, |piece| {
        piece.contains('@').then_some((0, piece.len()))
    });
    match text {
        Cow::Borrowed(text) => each_piece(text, is_of_network, network_address),
        Cow::Owned(text) => each_piece(&text, is_of_network, network_address)
            .into_owned()
            .into(),
    }
}

/// What an address of mail, or a URL with a login, is written with.
fn is_of_mail(c: char) -> bool {
    c.is_alphanumeric() || "@._%+-:/~!$&*?#".contains(c)
}

fn is_of_network(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, '.' | ':')
}

/// Where in a piece stands the address of a machine that is somebody's.
fn network_address(piece: &str) -> Option<(usize, usize)> {
    // At the end of a sentence, or before one.
    let begin = piece.len() - piece.trim_start_matches('.').len();
    let rest = &piece[begin..];
    let ends = [
        rest,
        rest.trim_end_matches('.'),
        rest.trim_end_matches([':', '.']),
    ];
    let address = |text: &str| {
        let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
        text.parse::<IpAddr>().ok().or_else(with_port)
    };
    let (found, text) = ends
        .into_iter()
        .find_map(|text| Some((address(text)?.to_canonical(), text)))?;
    let is_somebodys = !found.is_loopback() && !found.is_unspecified();
    is_somebodys.then_some((begin, begin + text.len()))
}

/// Replaces what `find` finds in the pieces of a text that are made of certain characters, and that no word goes on around.
fn each_piece(
    text: &str,
    belongs: impl Fn(char) -> bool,
    find: impl Fn(&str) -> Option<(usize, usize)>,
) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(start) = text[from..].find(&belongs).map(|at| from + at) {
        let end = text[start..].find(|c| !belongs(c));
        let end = end.map_or(text.len(), |at| start + at);
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let goes_on = text[..start].ends_with(is_word) || text[end..].starts_with(is_word);
        if !goes_on && let Some((first, last)) = find(&text[start..end]) {
            clean.push_str(&text[copied..start + first]);
            clean.push_str(REMOVED);
            copied = start + last;
        }
        from = end;
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => {
            clean.push_str(&text[copied..]);
            Cow::Owned(clean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c29_addresses_are_taken_out_of_a_text() {
        for (text, clean) in [
            (
                "flooded from 192.0.2.7, twice",
                "flooded from [removed], twice",
            ),
            ("192.0.2.7:4711 and 192.0.2.8.", "[removed] and [removed]."),
            ("peer=[2001:db8::1]:443", "peer=[[removed]]:443"),
            ("2001:db8::/32", "[removed]/32"),
            ("network 203.0.113.0/24", "network [removed]/24"),
            ("::ffff:192.0.2.7", "[removed]"),
            ("http://192.0.2.7/x", "http://[removed]/x"),
            (
                "asked alice.b+c@example.com to stop",
                "asked [removed] to stop",
            ),
            ("<mailto:alice@example.com>", "<[removed]>"),
            ("https://user:pw@example.com/x fails", "[removed] fails"),
        ] {
            assert_eq!(without_addresses(text), clean);
        }
    }

    #[test]
    fn c29_what_is_no_address_stays() {
        for text in [
            "",
            "spam: sends the same note 400 times",
            "trellis_relay::store::lmdb: mod::a, dead code, 22:00:00",
            "listening on http://127.0.0.1:8080 and [::1]:8080",
            "version v1.2.3.4 and 1.2.3",
            "2030-01-31T22:00:00.123456Z",
            "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e",
            "…ünïcödé… 日本",
        ] {
            let clean = without_addresses(text);
            assert!(matches!(clean, Cow::Borrowed(_)), "{text}: {clean}");
        }
    }
}
