//! The known key that a mistyped one was probably meant to be.

use super::schema;

/// The nearest known key: among those of the same table first, then one of the same name elsewhere. `table` is what
/// stands before the key, with its dot.
pub(crate) fn key<'k>(
    wrong: &str,
    table: &str,
    siblings: impl Iterator<Item = &'k str>,
) -> Option<String> {
    if let Some(sibling) = nearest(wrong, siblings) {
        return Some(format!("{table}{sibling}"));
    }
    let known = schema::known_keys();
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let elsewhere = known.iter().find(|key| last(key) == wrong);
    let similar = || nearest(wrong, known.iter().map(String::as_str));
    elsewhere
        .map(String::as_str)
        .or_else(similar)
        .map(str::to_owned)
}

/// The candidate nearest to `wrong`, if any is near enough to be meant.
pub(crate) fn nearest<'c>(
    wrong: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    let bound = (wrong.chars().count() / 3).max(2);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(wrong, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= bound)
        .map(|(_, candidate)| candidate)
}
