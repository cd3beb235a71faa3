//! Lists as CSV (RFC 4180).
//!
//! Invariant: no cell begins as a formula of a spreadsheet would: what strangers have written gets an apostrophe before it.

/// How answers call it.
pub(super) const MEDIA_TYPE: &str = "text/csv; charset=utf-8; header=present";

/// An item of a list as a line of cells.
pub(crate) trait Row {
    /// What the cells are called.
    const COLUMNS: &'static [&'static str];

    /// As many cells.
    fn cells(&self) -> Vec<String>;
}

/// The lines, with the names of the columns first.
pub(super) fn write<T: Row>(items: &[T]) -> String {
    let mut text = String::new();
    line(&mut text, T::COLUMNS.iter().copied());
    for item in items {
        let cells = item.cells();
        line(&mut text, cells.iter().map(String::as_str));
    }
    text
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        // Where lists are separated by a semicolon or a tab, programs take these for the end of a cell.
        let is_plain = !is_formula && !cell.contains(['"', ',', ';', '\t', '\n', '\r']);
        match is_plain {
            true => text.push_str(cell),
            false => {
                text.push('"');
                text.push_str(if is_formula { "'" } else { "" });
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            }
        }
    }
    text.push_str("\r\n");
}

/// A number or text, or nothing.
pub(super) fn cell(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, &'static str);

    impl Row for Pair {
        const COLUMNS: &'static [&'static str] = &["a", "b"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    #[test]
    fn q12_cells_are_quoted_and_formulas_are_none() {
        let text = write(&[
            Pair("plain", "with, comma"),
            Pair("a \"quote\"", "two\nlines"),
            Pair("=1+1", "-5"),
            Pair("x;=1+1", "x\t=1+1"),
            Pair("\n=1+1", ""),
        ]);
        assert_eq!(
            text,
            "a,b\r\nplain,\"with, comma\"\r\n\"a \"\"quote\"\"\",\"two\nlines\"\r\n\"'=1+1\",\"'-5\"\r\n\
             \"x;=1+1\",\"x\t=1+1\"\r\n\"'\n=1+1\",\r\n"
        );
    }
}
