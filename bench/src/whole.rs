//! The server beside an echo of its calls, and the same requests read and run in this process.

use crate::load::Measured;
use crate::table::{self, Series};

/// Measured right after each other.
pub(crate) struct Pass {
    /// Rows a second in this process, and the batch size that gave them.
    pub(crate) alone: (f64, usize),
    pub(crate) echo: Measured,
    pub(crate) quintet: Measured,
    /// What was sent and how it was run here, for the note under the table.
    pub(crate) note: &'static str,
}

impl Pass {
    /// Rows a second if batching were free.
    fn limit(&self) -> f64 {
        1.0 / (1.0 / self.echo.requests_per_second + 1.0 / self.alone.0)
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | echo/s | read and run in process/s, batch | limit/s | Quintet/s | p50, p99 ms | mean batch | of the limit |
|---|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: fn(&Self) -> f64| series.median(figure);
        format!(
            "| {} | {:.0} | {:.0}, {:.0} | {:.0} | {:.0} | {:.1}, {:.1} | {:.1} | {:.2} |\n",
            series.model,
            of(|pass| pass.echo.requests_per_second),
            of(|pass| pass.alone.0),
            of(|pass| pass.alone.1 as f64),
            of(Self::limit),
            of(|pass| pass.quintet.requests_per_second),
            of(|pass| pass.quintet.latency_us.p50 / 1e3),
            of(|pass| pass.quintet.latency_us.p99 / 1e3),
            of(|pass| pass.quintet.mean_batch_size.unwrap_or_default()),
            of(|pass| pass.quintet.requests_per_second / pass.limit()),
        )
    }

    fn note(table: &[Series<Self>]) -> String {
        let note = table.iter().flat_map(|series| &series.passes).next();
        note.map(|pass| format!(", {}", pass.note))
            .unwrap_or_default()
    }
}
