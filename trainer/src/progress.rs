//! What the user sees while training: a bar on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Where messages go. Everything goes to standard error; results belong to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A moving bar and lines above it.
    Bar,
    /// Lines only.
    Lines,
    /// Nothing.
    Silent,
}

impl Progress {
    /// A bar if standard error is a terminal, lines otherwise.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }

    /// One line.
    pub fn line(self, text: &str) {
        if self != Self::Silent {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// A bar up to `length`, which disappears when it is dropped. `template` is one of indicatif's.
    pub fn bar(self, template: &str, length: u64) -> ProgressBar {
        if self != Self::Bar {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        ProgressBar::new(length)
            .with_style(style.progress_chars("━╸ "))
            .with_finish(ProgressFinish::AndClear)
    }
}
