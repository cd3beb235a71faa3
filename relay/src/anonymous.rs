//! Takes out of a text what says where somebody is: network addresses, and addresses of mail.
//!
//! Pure. Addresses of the machine itself (loopback, unspecified) name nobody and stay. Names of people, telephone numbers and
//! the like cannot be told from other words: whoever writes a text that is kept has to leave them out.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

/// What stands in the place of what was taken out.
pub const REMOVED: &str = "[removed]";

/// No address with a port is longer.
const ADDRESS_BYTES_MAX: usize = 64;

/// The text without addresses.
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    let text = each_piece(text, is_of_mail, |text, piece| {
        text[piece.clone()].contains('@').then_some(piece)
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

/// Where in a piece the first address stands of a machine that is somebody's. It may have words before and behind, with a
/// colon or dots between: `from:192.0.2.7`, `192.0.2.7..192.0.2.9`.
fn network_address(text: &str, piece: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_mark = |at: usize| matches!(bytes.get(at), Some(b'.' | b':'));
    let begins = |at: usize| {
        at == piece.start
            || is_percent_encoded(&text[..at])
            || match bytes[at - 1] {
                b':' => true,
                b'.' => at - 1 == piece.start || is_mark(at - 2),
                _ => false,
            }
    };
    let ends = |at: usize| {
        at == piece.end
            || match bytes[at] {
                b':' => true,
                b'.' => at + 1 == piece.end || is_mark(at + 1),
                _ => false,
            }
    };
    piece.clone().filter(|at| begins(*at)).find_map(|start| {
        let longest = piece.end.min(start + ADDRESS_BYTES_MAX);
        let until = (start + 1..=longest).rev().filter(|at| ends(*at));
        let mut ranges = until.map(|end| start..end);
        // The longest: the beginning of an address is another's.
        let (range, address) = ranges.find_map(|range| {
            let address = address(&text[range.clone()])?;
            stands_alone(text, &range).then_some((range, address))
        })?;
        let is_somebodys = !address.is_loopback() && !address.is_unspecified();
        is_somebodys.then_some(range)
    })
}

/// An address, which may have a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    // As tcpdump writes it.
    let with_dotted_port = || {
        let (address, port) = text.rsplit_once('.')?;
        port.parse::<u16>().ok()?;
        address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    };
    let address = text.parse::<IpAddr>().ok().or_else(with_port);
    Some(address.or_else(with_dotted_port)?.to_canonical())
}

/// Whether no word goes on around a part of a text. The last letter of something escaped is none, and neither is one of a
/// script that is written without spaces.
fn stands_alone(text: &str, part: &Range<usize>) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let before = &text[..part.start];
    let is_escape = ["\\n", "\\r", "\\t"].iter().any(|it| before.ends_with(it))
        || is_percent_encoded(before)
        || is_colour(before);
    (is_escape || !before.ends_with(is_word)) && !text[part.end..].starts_with(is_word)
}

/// Ends in a byte as URLs write it: `%3D`.
fn is_percent_encoded(text: &str) -> bool {
    matches!(text.as_bytes(), [.., b'%', one, two] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit())
}

/// Ends in what switches a terminal's colours: an escape, `[`, numbers, `m`.
fn is_colour(text: &str) -> bool {
    let numbers = text.strip_suffix('m');
    let numbers = numbers.map(|it| it.trim_end_matches(|c: char| c.is_ascii_digit() || c == ';'));
    numbers.is_some_and(|it| it.ends_with("\x1b["))
}

/// Replaces what `find` finds in the pieces of a text that are made of certain characters.
fn each_piece(
    text: &str,
    belongs: impl Fn(char) -> bool,
    find: impl Fn(&str, Range<usize>) -> Option<Range<usize>>,
) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(start) = text[from..].find(&belongs).map(|at| from + at) {
        let end = text[start..].find(|c| !belongs(c));
        let end = end.map_or(text.len(), |at| start + at);
        from = end;
        if let Some(found) = find(text, start..end) {
            clean.push_str(&text[copied..found.start]);
            clean.push_str(REMOVED);
            copied = found.end;
            // There may be another in the same piece.
            from = found.end;
        }
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
            ("来自192.0.2.7的垃圾", "来自[removed]的垃圾"),
            ("192.0.2.7に", "[removed]に"),
            ("IP 192.0.2.7.4711 > x", "IP [removed] > x"),
            ("peer_192.0.2.7", "peer_[removed]"),
            ("ip%3D192.0.2.7&x", "ip%3D[removed]&x"),
            (
                "\u{1b}[31m192.0.2.7\u{1b}[0m",
                "\u{1b}[31m[removed]\u{1b}[0m",
            ),
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
            ("ip:203.0.113.7", "ip:[removed]"),
            ("from:203.0.113.7.", "from:[removed]."),
            ("203.0.113.7:from", "[removed]:from"),
            ("IPv4:203.0.113.7:4711", "IPv4:[removed]"),
            ("203.0.113.7..203.0.113.9", "[removed]..[removed]"),
            ("203.0.113.7...", "[removed]..."),
            ("[IPv6:2001:db8::1]", "[IPv6:[removed]]"),
            (
                "mode:fe80::1 addr:2001:db8::7",
                "mode:[removed] addr:[removed]",
            ),
            ("x::ffff:192.0.2.7", "x::ffff:[removed]"),
            (r"told \n203.0.113.7\n", r"told \n[removed]\n"),
            ("first\nalice@example.com", "first\n[removed]"),
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
            "Mode::add, std::fade::Self, 4:30, ip:v1.2.3.4",
            "ip:127.0.0.1 from:::1 ::ffff:127.0.0.1",
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
