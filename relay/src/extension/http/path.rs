//! Paths of routes as actix-web writes them: text and `{name:pattern}`, and which of two is asked first.

/// A piece of a path.
pub(super) enum Part<'p> {
    Text(&'p str),
    Parameter {
        name: &'p str,
        pattern: Option<&'p str>,
    },
}

/// A pattern may have braces of its own, which are in pairs.
pub(super) fn parts(path: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some(open) = rest.find('{') {
        parts.push(Part::Text(&rest[..open]));
        let mut depth = 0;
        let close = rest[open..].find(|char| {
            depth += match char {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        let Some(close) = close else {
            return parts;
        };
        let inside = &rest[open + 1..open + close];
        let (name, pattern) = match inside.split_once(':') {
            Some((name, pattern)) => (name, Some(pattern)),
            None => (inside, None),
        };
        parts.push(Part::Parameter { name, pattern });
        rest = &rest[open + close + 1..];
    }
    parts.push(Part::Text(rest));
    parts
}

pub(super) fn braces_match(path: &str) -> bool {
    let mut depth = 0;
    for char in path.chars() {
        depth += match char {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth < 0 {
            return false;
        }
    }
    let is_named =
        |part: &Part<'_>| !matches!(part, Part::Parameter { name, .. } if name.is_empty());
    depth == 0 && parts(path).iter().all(is_named)
}

/// What sorts paths: segment by segment, text comes before what matches one segment, and that before what matches many.
pub(super) fn openness(path: &str) -> Vec<Open> {
    let mut segments = vec![Open::No];
    let mut widen = |to: Open, is_new: bool| match segments.last_mut() {
        Some(last) if !is_new => *last = to.max(*last),
        _ => segments.push(to),
    };
    for part in parts(path) {
        match part {
            // A tail: all that is left.
            Part::Text("*") => widen(Open::Segments, false),
            Part::Text(text) => {
                for _ in text.matches('/') {
                    widen(Open::No, true);
                }
            }
            Part::Parameter { pattern, .. } => match pattern.is_some_and(takes_slash) {
                true => widen(Open::Segments, false),
                false => widen(Open::Segment, false),
            },
        }
    }
    segments
}

/// How much a segment of a path leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Open {
    No,
    Segment,
    Segments,
}

/// Whether a regular expression may match a `/`. Where that is hard to tell it is said to.
fn takes_slash(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '.' | '/' => return true,
            '\\' if chars.next().is_none_or(is_wide_escape) => return true,
            '[' => {
                let is_negated = chars.next_if_eq(&'^').is_some();
                if class_has_slash(&mut chars) != is_negated {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// Reads a class up to its end: whether `/` stands in it, alone or in a range.
fn class_has_slash(chars: &mut impl Iterator<Item = char>) -> bool {
    let (mut has_slash, mut before, mut from) = (false, None, None);
    // A `]` that comes first is one of the class.
    let mut is_first = true;
    while let Some(char) = chars.next() {
        let (char, is_escaped) = match char {
            '\\' => (chars.next().unwrap_or_default(), true),
            char => (char, false),
        };
        match char {
            ']' if !is_escaped && !is_first => return has_slash,
            '-' if !is_escaped && before.is_some() => from = before.take(),
            char => {
                let is_wide = is_escaped && is_wide_escape(char);
                let in_range = from.is_some_and(|from| (from..=char).contains(&'/'));
                has_slash |= char == '/' || is_wide || in_range;
                (before, from) = (Some(char), None);
            }
        }
        is_first = false;
    }
    has_slash
}

/// Of the letters after a backslash those that stand for more than themselves, digits and words aside.
fn is_wide_escape(char: char) -> bool {
    matches!(char, 'D' | 'W' | 'S' | 'P' | 'p' | 'x' | 'u' | 'U')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_what_takes_a_slash_is_known() {
        for wide in [
            ".*", "[^.]+", "a/b", r"\S+", r"[\S]", "[!-~]+", "[/a]", r"\x2f", r"[^\]]",
        ] {
            assert!(takes_slash(wide), "{wide}");
        }
        for narrow in [
            "[^/]+",
            "[0-9a-f]{64}",
            r"[a-z]+\.png",
            "[a-z.-]+",
            r"\d+",
            r"[^/\]]+",
            "a|b",
            "[-.]",
        ] {
            assert!(!takes_slash(narrow), "{narrow}");
        }
    }

    #[test]
    fn e11_what_is_more_open_comes_later() {
        let in_order = [
            "/a/b",
            "/a/{b}",
            "/a/{tail:.*}",
            "/{a:[^/]+}/b",
            "/{a}/{b}",
            "/{tail:.*}",
        ];
        let keys = in_order.map(openness);
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(openness("/{a:[^/]+}/b"), openness("/{other}/b"));
        assert_eq!(openness("/x{tail}*"), [Open::No, Open::Segments]);
    }
}
