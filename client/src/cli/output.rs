//! The one place that writes answers and notes, and the forms of text that several commands print.

use std::{
    borrow::Cow,
    io::{ErrorKind, Write as _},
};

use serde::Serialize;

use crate::failure::Failure;

/// Writes `text` to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text).map(|_| ())
}

/// Writes `text` to stdout, and says whether anybody still reads it.
pub(crate) fn write(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"))),
    }
}

/// Writes notes to stderr. That they cannot be written is no failure.
pub(crate) fn note(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The text with control characters escaped, except ends of lines and tabs: a server's words must
/// not steer the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |it: char| it.is_control() && !matches!(it, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escape = |it: char| {
        if steers(it) {
            it.escape_default().to_string()
        } else {
            it.to_string()
        }
    };
    text.chars().map(escape).collect::<String>().into()
}

/// Writes a report to stdout: as indented JSON, or as the text that `render` makes of it,
/// [`printable`].
pub(crate) fn print_report<T: Serialize>(
    json: bool,
    report: &T,
    render: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    if json {
        let text =
            serde_json::to_string_pretty(report).map_err(|error| Failure::of_json(&error))?;
        print(&(text + "\n"))
    } else {
        print(&printable(&render(report)))
    }
}

/// A count and its noun: `1 image`, `2 images`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Names and their values, one pair a line.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let lines = fields.into_iter();
    let lines = lines.map(|(name, value)| format!("{name:<17}{value}\n"));
    lines.collect()
}

/// A table whose columns are as wide as their widest cell. A header begins with its column's
/// alignment, as in a format string: `<` left, `>` right.
pub(crate) fn table<const N: usize>(headers: [&str; N], rows: &[[String; N]]) -> String {
    let names = headers.map(|it| it[1..].to_owned());
    let lines: Vec<_> = std::iter::once(&names).chain(rows).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let cell = |line: &[String; N], column: usize| {
        let (cell, width) = (&line[column], widths[column]);
        if headers[column].starts_with('>') {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
    };
    let line = |line: &&[String; N]| {
        let cells: Vec<_> = (0..N).map(|column| cell(line, column)).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        let text = "a\tb\n\u{1b}[31mred\u{9b}2J\r\u{7f}";
        let expected = "a\tb\n\\u{1b}[31mred\\u{9b}2J\\r\\u{7f}";
        assert_eq!(printable(text), expected);
        assert!(matches!(printable("größer 😀\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["mlp".into(), "7".into(), String::new()],
            ["größer".into(), "109386".into(), "x".into()],
        ];
        expect![[r"
            NAME     COUNT  NOTE
            mlp          7
            größer  109386  x
        "]]
        .assert_eq(&table(["<NAME", ">COUNT", "<NOTE"], &rows));
    }
}
