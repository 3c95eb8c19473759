//! Quintet beside another server of the Open Inference Protocol: the same models, requests and load generator, in turn.

use std::error::Error;
use std::fmt::Write as _;

use crate::load::{Generator, Measured};
use crate::table::median;

/// A model at a concurrency.
#[derive(Debug)]
pub(crate) struct Row {
    model: String,
    concurrency: usize,
    passes: Vec<Pass>,
}

/// Measured right after each other.
#[derive(Debug)]
struct Pass {
    quintet: Measured,
    peer: Measured,
}

const HEADER: &str = "\
| model | concurrency | Quintet/s | p50, p99 µs | peer/s | p50, p99 µs | Quintet / peer |
|---|---|---|---|---|---|---|
";

/// The table as Markdown.
pub(crate) fn render(rows: &[Row], machine: &str, seconds: u64) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        text.push_str(&row.render());
    }
    let passes = rows.first().map_or(0, |row| row.passes.len());
    writeln!(
        text,
        "\n{machine}. Medians of {passes} interleaved passes of {seconds} s, ModelInfer, one row of raw bytes a request, one \
         connection; the load generator shares the cores."
    )
    .expect("writing to a string does not fail");
    text
}

// === impl Row ===

impl Row {
    pub(crate) fn new(model: &str, concurrency: usize) -> Self {
        Self {
            model: model.to_owned(),
            concurrency,
            passes: Vec::new(),
        }
    }

    /// One pass over both servers, each first in turn.
    pub(crate) fn measure(
        &mut self,
        generator: &Generator,
        quintet: &str,
        peer: &str,
    ) -> Result<(), Box<dyn Error>> {
        let infer = |address| generator.infer(address, &self.model, self.concurrency);
        let (quintet, peer) = if self.passes.len().is_multiple_of(2) {
            (infer(quintet)?, infer(peer)?)
        } else {
            let peer = infer(peer)?;
            (infer(quintet)?, peer)
        };
        self.passes.push(Pass { quintet, peer });
        Ok(())
    }

    fn render(&self) -> String {
        let of = |value: fn(&Pass) -> f64| median(self.passes.iter().map(value).collect());
        format!(
            "| {} | {} | {:.0} | {:.0}, {:.0} | {:.0} | {:.0}, {:.0} | {:.2} |\n",
            self.model,
            self.concurrency,
            of(|it| it.quintet.requests_per_second),
            of(|it| it.quintet.latency_us.p50),
            of(|it| it.quintet.latency_us.p99),
            of(|it| it.peer.requests_per_second),
            of(|it| it.peer.latency_us.p50),
            of(|it| it.peer.latency_us.p99),
            of(|it| it.quintet.requests_per_second / it.peer.requests_per_second),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load::Latency;

    #[test]
    fn a_row_has_the_medians_and_the_median_of_the_ratios() {
        let measured = |requests_per_second, p50| Measured {
            requests_per_second,
            latency_us: Latency {
                p50,
                p99: p50 * 2.0,
            },
            refused_latency_us: None,
            lateness_us: None,
            errors: BTreeMap::new(),
            mean_batch_size: None,
            generator_cpu_us_per_request: 7.0,
        };
        let pass = |quintet, peer| Pass {
            quintet: measured(quintet, 100.0),
            peer: measured(peer, 250.0),
        };
        let mut row = Row::new("mlp", 64);
        row.passes = vec![pass(300.0, 100.0), pass(100.0, 50.0), pass(50.0, 200.0)];
        assert_eq!(
            row.render(),
            "| mlp | 64 | 100 | 100, 200 | 100 | 250, 500 | 2.00 |\n"
        );
    }
}
