//! Quintet beside another server of the Open Inference Protocol: the same models, requests and load
//! generator, in turn.

use crate::Result;
use crate::load::{Generator, Measured};
use crate::table::{self, Series};

/// Both servers, measured right after each other.
#[derive(Debug)]
pub(crate) struct Pass {
    quintet: Measured,
    peer: Measured,
}

impl Pass {
    /// One pass over both servers, Quintet and its peer, each first in turn. `flags` are the load
    /// generator's.
    pub(crate) fn measure(
        series: &Series<Self>,
        generator: &Generator,
        [quintet, peer]: [&str; 2],
        flags: &[&str],
    ) -> Result<Self> {
        let (model, concurrency) = (&series.model, series.concurrency);
        let run = |address| generator.run(address, model, concurrency, flags);
        let (quintet, peer) = if series.passes.len().is_multiple_of(2) {
            (run(quintet)?, run(peer)?)
        } else {
            let peer = run(peer)?;
            (run(quintet)?, peer)
        };
        Ok(Self { quintet, peer })
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | concurrency | Quintet/s | p50, p99 µs | peer/s | p50, p99 µs | Quintet / peer |
|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: fn(&Self) -> f64| series.median(figure);
        format!(
            "| {} | {} | {:.0} | {:.0}, {:.0} | {:.0} | {:.0}, {:.0} | {:.2} |\n",
            series.model,
            series.concurrency,
            of(|it| it.quintet.requests_per_second),
            of(|it| it.quintet.latency_us.p50),
            of(|it| it.quintet.latency_us.p99),
            of(|it| it.peer.requests_per_second),
            of(|it| it.peer.latency_us.p50),
            of(|it| it.peer.latency_us.p99),
            of(|it| it.quintet.requests_per_second / it.peer.requests_per_second),
        )
    }

    fn note(_: &[Series<Self>]) -> String {
        ", one row a request, one connection; the load generator shares the cores.".to_owned()
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
            requests: 0,
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
        let mut series = Series::new("mlp", 64);
        series.passes = vec![pass(300.0, 100.0), pass(100.0, 50.0), pass(50.0, 200.0)];
        assert_eq!(
            table::Pass::row(&series),
            "| mlp | 64 | 100 | 100, 200 | 100 | 250, 500 | 2.00 |\n"
        );
    }
}
