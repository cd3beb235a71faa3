//! What a measurement found, as a table for people or as JSON for programs.
//!
//! A figure's name carries its unit and is the same in both, but for underscores.

use crate::commands::closed_pipe;
use clap::Args;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// How to print it.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Named figures in order; a figure may be a group of figures, or the rows of a table.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<(String, Figure)>);

#[derive(Debug)]
enum Figure {
    Text(String),
    Flag(bool),
    Count(u64),
    Number(f64),
    Group(Report),
    Rows(Vec<Report>),
}

impl Report {
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.push(name, Figure::Text(text.to_owned()));
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.push(name, Figure::Flag(flag));
    }

    pub(super) fn count(&mut self, name: &str, count: u64) {
        self.push(name, Figure::Count(count));
    }

    pub(super) fn number(&mut self, name: &str, number: f64) {
        self.push(name, Figure::Number(number));
    }

    /// Nothing where there is nothing to tell.
    pub(super) fn number_if(&mut self, name: &str, number: Option<f64>) {
        if let Some(number) = number {
            self.number(name, number);
        }
    }

    pub(super) fn group(&mut self, name: &str, group: Report) {
        if !group.0.is_empty() {
            self.push(name, Figure::Group(group));
        }
    }

    /// The same for a group that programs may rely on; people are not shown an empty one.
    pub(super) fn group_or_empty(&mut self, name: &str, group: Report) {
        self.push(name, Figure::Group(group));
    }

    /// Rows with the same columns.
    pub(super) fn rows(&mut self, name: &str, rows: Vec<Report>) {
        self.push(name, Figure::Rows(rows));
    }

    fn push(&mut self, name: &str, figure: Figure) {
        self.0.push((name.to_owned(), figure));
    }

    pub(super) fn print(&self, form: &Form) -> anyhow::Result<()> {
        let mut out = io::stdout();
        let text = match form.json {
            true => format!("{:#}\n", self.json()),
            false => self.table(),
        };
        closed_pipe::forgive(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    fn json(&self) -> Value {
        let fields = self.0.iter().map(|(name, figure)| {
            let value = match figure {
                Figure::Text(text) => json!(text),
                Figure::Flag(flag) => json!(flag),
                Figure::Count(count) => json!(count),
                Figure::Number(number) => json!((number * 1_000.0).round() / 1_000.0),
                Figure::Group(group) => group.json(),
                Figure::Rows(rows) => rows.iter().map(Report::json).collect(),
            };
            (name.clone(), value)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    }

    fn table(&self) -> String {
        let mut text = String::new();
        self.lines("", &mut text);
        text
    }

    fn lines(&self, indent: &str, out: &mut String) {
        let plain = |figure: &Figure| !matches!(figure, Figure::Group(_) | Figure::Rows(_));
        let names = self.0.iter().filter(|(_, figure)| plain(figure));
        let width = names.map(|(name, _)| name.chars().count()).max();
        for (name, figure) in &self.0 {
            // Writing to a String cannot fail.
            let _ = match figure {
                Figure::Group(group) if group.0.is_empty() => Ok(()),
                Figure::Group(group) => {
                    let _ = writeln!(out, "{indent}{}", spaced(name));
                    group.lines(&format!("{indent}  "), out);
                    Ok(())
                }
                Figure::Rows(rows) => {
                    let _ = writeln!(out, "{indent}{}", spaced(name));
                    grid(rows, &format!("{indent}  "), out);
                    Ok(())
                }
                single => {
                    let width = width.unwrap_or_default();
                    writeln!(out, "{indent}{:<width$}  {}", spaced(name), single.cell())
                }
            };
        }
    }
}

impl Figure {
    fn cell(&self) -> String {
        match self {
            Figure::Text(text) => text.clone(),
            Figure::Flag(true) => "yes".to_owned(),
            Figure::Flag(false) => "no".to_owned(),
            Figure::Count(count) => grouped(*count),
            Figure::Number(number) if *number >= 100.0 => grouped(number.round() as u64),
            Figure::Number(number) if number.abs() >= 10.0 => format!("{number:.1}"),
            Figure::Number(number) => format!("{number:.2}"),
            Figure::Group(_) | Figure::Rows(_) => String::new(),
        }
    }
}

fn grid(rows: &[Report], indent: &str, out: &mut String) {
    let Some(first) = rows.first() else {
        return;
    };
    let head: Vec<String> = first.0.iter().map(|(name, _)| spaced(name)).collect();
    let body: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.0.iter().map(|(_, figure)| figure.cell()).collect())
        .collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(&body);
        let widths = cells.filter_map(|row| Some(row.get(column)?.chars().count()));
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in std::iter::once(&head).chain(&body) {
        out.push_str(indent);
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or_default();
            let _ = match column {
                0 => write!(out, "{cell:<width$}"),
                _ => write!(out, "  {cell:>width$}"),
            };
        }
        out.push('\n');
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
