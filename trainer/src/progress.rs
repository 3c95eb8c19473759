//! What the user sees while training. Everything goes to standard error; results belong to standard
//! output.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Writes one line.
pub fn line(text: &str) {
    // A closed standard error cannot be reported.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A bar up to `length`, which disappears when it is dropped; it draws nothing where standard error
/// is not a terminal. `template` is one of indicatif's.
pub fn bar(template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(length)
        .with_style(style.progress_chars("━╸ "))
        .with_finish(ProgressFinish::AndClear)
}
