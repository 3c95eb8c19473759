//! The one place that writes to stdout.

use std::io::{ErrorKind, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// A table with a header line; columns are as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    header: &'static str,
    right: bool,
}

/// Writes `text` to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text).map(|_| ())
}

/// Writes `text` to stdout, and says whether anybody reads it still.
pub(crate) fn write(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"))),
    }
}

/// Writes a value to stdout as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    print(&(text + "\n"))
}

/// A count and its noun: `1 image`, `2 images`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

// === impl Table ===

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a column of text.
    pub(crate) fn text(mut self, header: &'static str) -> Self {
        self.columns.push(Column {
            header,
            right: false,
        });
        self
    }

    /// Adds a column of numbers, aligned at the right.
    pub(crate) fn number(mut self, header: &'static str) -> Self {
        self.columns.push(Column {
            header,
            right: true,
        });
        self
    }

    /// Adds a row; it has a cell for every column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn render(&self) -> String {
        let header = self.columns.iter().map(|it| it.header.to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&header).chain(&self.rows).collect();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|it| it.get(column))
                .map(|it| it.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        let mut text = String::new();
        for line in lines {
            let cells =
                line.iter()
                    .zip(&self.columns)
                    .zip(&widths)
                    .map(|((cell, column), &width)| {
                        if column.right {
                            format!("{cell:>width$}")
                        } else {
                            format!("{cell:<width$}")
                        }
                    });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new().text("NAME").number("COUNT").text("NOTE");
        table.row(["mlp".into(), "7".into(), String::new()]);
        table.row(["größer".into(), "109386".into(), "x".into()]);
        expect![[r"
            NAME     COUNT  NOTE
            mlp          7
            größer  109386  x
        "]]
        .assert_eq(&table.render());
    }
}
