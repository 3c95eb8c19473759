//! What the user sees while training: a bar on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

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

/// The bar of one epoch.
#[derive(Debug)]
pub struct EpochProgress {
    bar: Option<ProgressBar>,
}

// === impl Progress ===

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

    /// The bar of an epoch of `steps` steps.
    pub fn epoch(self, epoch: u32, epochs: u32, steps: usize) -> EpochProgress {
        let bar = (self == Self::Bar).then(|| {
            let template = "{prefix} {bar:30} {pos}/{len}  {msg}  {eta} left";
            let style =
                ProgressStyle::with_template(template).expect("the template is well-formed");
            ProgressBar::new(steps as u64)
                .with_style(style.progress_chars("━╸ "))
                .with_prefix(format!("epoch {epoch}/{epochs}"))
        });
        EpochProgress { bar }
    }
}

// === impl EpochProgress ===

impl EpochProgress {
    /// Moves on by one step; `loss` is the mean so far.
    pub fn step(&self, loss: f64) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("loss {loss:.4}"));
            bar.inc(1);
        }
    }
}

impl Drop for EpochProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
