//! What a page of the documentation has its reader type.

/// The lines of examples in a language of `shells`, continued ones as one, and code within sentences.
pub fn typed(page: &str, shells: &[&str]) -> Vec<String> {
    let page = page.replace("\\\n", " ");
    let mut found = Vec::new();
    let mut fence: Option<bool> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(kind), None) => fence = Some(shells.contains(&kind)),
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) => found.push(line.to_owned()),
            (None, Some(false)) => {}
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}
