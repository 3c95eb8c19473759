//! Progress bars: drawn on stderr, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that is cleared on every way out, a failure's and Ctrl-C's too.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `length` steps, each one of `things`.
    pub(crate) fn new(length: u64, things: &str) -> Self {
        let template = format!("{{wide_bar}} {{pos}}/{{len}} {things}, {{eta}} left");
        let style = ProgressStyle::with_template(&template).expect("the template is well formed");
        Self(ProgressBar::new(length).with_style(style))
    }

    /// A handle on the bar, for those who do the work.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.0.clone()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
