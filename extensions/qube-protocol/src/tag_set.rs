//! The tags of one event by their names, where a name that is known may stand only as often as it should.

use crate::{MAX_CONTENT_BYTES, MAX_TAGS};

/// What is wrong with tags or content, whichever kind the event is of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More than anybody needs.
    #[error("more than {MAX_TAGS} tags")]
    TooMany,
    /// A tag that has to be there.
    #[error("the tag `{0}` is missing")]
    Missing(&'static str),
    /// A tag that stands more than once.
    #[error("the tag `{0}` stands more than once: exactly one is read")]
    Twice(&'static str),
    /// A tag that does not go with the others.
    #[error("the tag `{tag}` has no place here: {why}")]
    Misplaced {
        /// Which.
        tag: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// A tag with too few or too many elements.
    #[error("the tag `{tag}` is {expected}")]
    Shape {
        /// Which.
        tag: &'static str,
        /// What it looks like.
        expected: &'static str,
    },
    /// A value that is not what it should be.
    #[error("the tag `{tag}`: {problem}")]
    Value {
        /// Which.
        tag: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Nothing for people to read, or too much.
    #[error("the content is 1 to {MAX_CONTENT_BYTES} bytes for people to read")]
    Content,
}

impl TagError {
    pub(crate) fn value(tag: &'static str, problem: impl ToString) -> Self {
        Self::Value {
            tag,
            problem: problem.to_string(),
        }
    }
}

/// Tags, looked up by name.
#[derive(Clone, Copy)]
pub(crate) struct TagSet<'t, 'a> {
    tags: &'t [Vec<&'a str>],
}

impl<'t, 'a> TagSet<'t, 'a> {
    /// Of tags and content that keep the bounds.
    pub(crate) fn bounded(tags: &'t [Vec<&'a str>], content: &str) -> Result<Self, TagError> {
        if tags.len() > MAX_TAGS {
            return Err(TagError::TooMany);
        }
        if content.trim().is_empty() || content.len() > MAX_CONTENT_BYTES {
            return Err(TagError::Content);
        }
        Ok(Self { tags })
    }

    /// All tags of this name, without the name.
    pub(crate) fn all(self, name: &'static str) -> impl Iterator<Item = &'t [&'a str]> {
        let named = move |tag: &&Vec<&str>| tag.first() == Some(&name);
        self.tags.iter().filter(named).map(|tag| &tag[1..])
    }

    /// The only tag of this name, if there is one, without the name.
    pub(crate) fn single(self, name: &'static str) -> Result<Option<&'t [&'a str]>, TagError> {
        let mut found = self.all(name);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(TagError::Twice(name)),
        }
    }

    /// The value of the only tag of this name, if there is one; nothing follows the value.
    pub(crate) fn optional(self, name: &'static str) -> Result<Option<&'a str>, TagError> {
        let expected = "a name and one value";
        match self.single(name)? {
            None => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(TagError::Shape {
                tag: name,
                expected,
            }),
        }
    }

    /// The value of the one tag of this name.
    pub(crate) fn required(self, name: &'static str) -> Result<&'a str, TagError> {
        self.optional(name)?.ok_or(TagError::Missing(name))
    }

    /// The value of the one tag of this name, which a relay to look at may follow.
    pub(crate) fn required_with_hint(self, name: &'static str) -> Result<&'a str, TagError> {
        match self.single(name)? {
            None => Err(TagError::Missing(name)),
            Some([value, ..]) => Ok(value),
            Some([]) => Err(TagError::Shape {
                tag: name,
                expected: "a name, a value and perhaps a relay",
            }),
        }
    }
}

/// The value as a type that reads itself.
pub(crate) fn read<T>(tag: &'static str, text: &str) -> Result<T, TagError>
where
    T: std::str::FromStr<Err: ToString>,
{
    text.parse::<T>()
        .map_err(|error| TagError::value(tag, error))
}

/// A whole number in plain digits: no sign, no leading zero.
pub(crate) fn read_number(tag: &'static str, text: &str, what: &str) -> Result<u64, TagError> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = plain.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        TagError::value(tag, format!("{shown:?} is not {what} in plain digits"))
    })
}
