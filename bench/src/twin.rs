//! Two servers of Quintet that differ in one thing, their build or an option: the same models,
//! requests and load generator, in turn.
//!
//! On a machine that does other work too, requests a second depend on what that work leaves. The
//! time on a core for each request hardly does.

use crate::Result;
use crate::load::{Generator, Measured};
use crate::process::Server;
use crate::table::{self, Series};

/// Both servers, measured right after each other.
#[derive(Debug)]
pub(crate) struct Pass {
    one: Half,
    other: Half,
}

/// One server under load.
#[derive(Debug)]
struct Half {
    measured: Measured,
    /// For which its threads ran on a core; 0 where the system does not say.
    core_seconds: f64,
}

impl Pass {
    /// One pass over both servers, each first in turn. The generator must not warm up.
    pub(crate) fn measure(
        series: &Series<Self>,
        generator: &Generator,
        [one, other]: [&Server; 2],
    ) -> Result<Self> {
        let run = |server: &Server| -> Result<Half> {
            let before = server.core_seconds();
            let (model, concurrency) = (&series.model, series.concurrency);
            let measured = generator.run(&server.address, model, concurrency, &[])?;
            let core_seconds = server.core_seconds().zip(before);
            Ok(Half {
                measured,
                core_seconds: core_seconds.map_or(0.0, |(after, before)| after - before),
            })
        };
        let (one, other) = if series.passes.len().is_multiple_of(2) {
            (run(one)?, run(other)?)
        } else {
            let other = run(other)?;
            (run(one)?, other)
        };
        Ok(Self { one, other })
    }
}

impl Half {
    fn requests_per_second(&self) -> f64 {
        self.measured.requests_per_second
    }

    /// Microseconds on a core.
    fn time_of_a_request(&self) -> f64 {
        self.core_seconds * 1e6 / self.measured.requests as f64
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | concurrency | this/s | other/s | this / other | core µs a request | other's | other's / this |
|---|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: fn(&Self) -> f64| series.median(figure);
        format!(
            "| {} | {} | {:.0} | {:.0} | {:.3} | {:.1} | {:.1} | {:.3} |\n",
            series.model,
            series.concurrency,
            of(|it| it.one.requests_per_second()),
            of(|it| it.other.requests_per_second()),
            of(|it| it.one.requests_per_second() / it.other.requests_per_second()),
            of(|it| it.one.time_of_a_request()),
            of(|it| it.other.time_of_a_request()),
            of(|it| it.other.time_of_a_request() / it.one.time_of_a_request()),
        )
    }

    fn note(_: &[Series<Self>]) -> String {
        ", one row a request, one connection; the load generator shares the cores. The ratios are \
         medians of the passes' ratios: above 1, this server is better."
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load::Latency;

    #[test]
    fn a_row_has_the_medians_and_the_medians_of_the_ratios() {
        let half = |requests: u64, core_seconds| Half {
            measured: Measured {
                requests,
                requests_per_second: requests as f64,
                latency_us: Latency { p50: 1.0, p99: 2.0 },
                refused_latency_us: None,
                lateness_us: None,
                errors: BTreeMap::new(),
                mean_batch_size: None,
                generator_cpu_us_per_request: 7.0,
            },
            core_seconds,
        };
        let mut series = Series::new("mlp", 64);
        series.passes = [(1000, 1000), (3000, 1000), (400, 800)]
            .map(|(one, other)| Pass {
                one: half(one, 0.03),
                other: half(other, 0.01),
            })
            .into();
        assert_eq!(
            table::Pass::row(&series),
            "| mlp | 64 | 1000 | 1000 | 1.000 | 30.0 | 10.0 | 0.333 |\n"
        );
    }
}
