//! The server beside an echo of its calls and the runtime alone: medians, and the ratios.

use crate::inference::Speed;
use crate::load::Measured;
use crate::table::{self, Series};

/// The echo, the runtime and the server, measured right after each other.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) inference: Speed,
    pub(crate) echo: Measured,
    pub(crate) quintet: Measured,
}

impl Pass {
    /// Requests a second if batching were free.
    fn limit(&self) -> f64 {
        1.0 / (1.0 / self.echo.requests_per_second + 1.0 / self.inference.rows_per_second)
    }

    fn of_the_limit(&self) -> f64 {
        self.quintet.requests_per_second / self.limit()
    }

    /// Quintet's median latency, divided by the sum of the echo's and of `inference_us`.
    fn latency_ratio(&self, inference_us: f64) -> f64 {
        self.quintet.latency_us.p50 / (self.echo.latency_us.p50 + inference_us)
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | concurrency | echo/s, p50 µs | runtime/s, batch; one row µs, rested | limit/s | Quintet/s | p50, p99 µs | mean batch | of the limit | p50 / (echo + runtime), rested |
|---|---|---|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: &dyn Fn(&Self) -> f64| series.median(figure);
        let latency_ratio = if series.concurrency == 1 {
            format!(
                "{:.2}, {:.2}",
                of(&|pass| pass.latency_ratio(pass.inference.single_us)),
                of(&|pass| pass.latency_ratio(pass.inference.rested_us)),
            )
        } else {
            String::new()
        };
        format!(
            "| {} | {} | {:.0}, {:.0} | {:.0}, {:.0}; {:.0}, {:.0} | {:.0} | {:.0} | {:.0}, {:.0} | {:.1} | {:.2} | {latency_ratio} |\n",
            series.model,
            series.concurrency,
            of(&|pass| pass.echo.requests_per_second),
            of(&|pass| pass.echo.latency_us.p50),
            of(&|pass| pass.inference.rows_per_second),
            of(&|pass| pass.inference.batch as f64),
            of(&|pass| pass.inference.single_us),
            of(&|pass| pass.inference.rested_us),
            of(&Self::limit),
            of(&|pass| pass.quintet.requests_per_second),
            of(&|pass| pass.quintet.latency_us.p50),
            of(&|pass| pass.quintet.latency_us.p99),
            of(&|pass| pass.quintet.mean_batch_size.unwrap_or_default()),
            of(&Self::of_the_limit),
        )
    }

    fn note(table: &[Series<Self>]) -> String {
        let cost = table
            .iter()
            .map(|series| series.median(|pass| pass.quintet.generator_cpu_us_per_request))
            .fold(f64::INFINITY, f64::min);
        format!(
            ", one image a request, one connection. limit = 1 / (1/echo + 1/runtime). Rested: each run \
             of the runtime after 100 µs of idleness, which is how a core finds it that waits for a \
             caller. The load generator shares the cores; it costs {cost:.1} µs of CPU a request at its \
             cheapest."
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;
    use crate::load::Latency;

    fn measured(requests_per_second: f64, p50: f64) -> Measured {
        Measured {
            requests: 0,
            requests_per_second,
            latency_us: Latency {
                p50,
                p99: p50 * 3.0,
            },
            refused_latency_us: None,
            lateness_us: None,
            errors: BTreeMap::new(),
            mean_batch_size: Some(24.0),
            generator_cpu_us_per_request: 7.0,
        }
    }

    #[test]
    fn the_limit_is_both_costs_together() {
        let pass = |quintet| Pass {
            inference: Speed {
                rows_per_second: 60_000.0,
                batch: 32,
                single_us: 36.0,
                rested_us: 90.0,
            },
            echo: measured(30_000.0, 24.0),
            quintet: measured(quintet, 66.0),
        };
        let rows = [1, 64].map(|concurrency| Series {
            model: "cnn".to_owned(),
            concurrency,
            passes: vec![pass(18_000.0), pass(1.0), pass(30_000.0)],
        });
        expect![[r#"
            | model | concurrency | echo/s, p50 µs | runtime/s, batch; one row µs, rested | limit/s | Quintet/s | p50, p99 µs | mean batch | of the limit | p50 / (echo + runtime), rested |
            |---|---|---|---|---|---|---|---|---|---|
            | cnn | 1 | 30000, 24 | 60000, 32; 36, 90 | 20000 | 18000 | 66, 198 | 24.0 | 0.90 | 1.10, 0.58 |
            | cnn | 64 | 30000, 24 | 60000, 32; 36, 90 | 20000 | 18000 | 66, 198 | 24.0 | 0.90 |  |

            A machine. Medians of 3 interleaved passes of 3 s, one image a request, one connection. limit = 1 / (1/echo + 1/runtime). Rested: each run of the runtime after 100 µs of idleness, which is how a core finds it that waits for a caller. The load generator shares the cores; it costs 7.0 µs of CPU a request at its cheapest.
        "#]].assert_eq(&table::render(&rows, "A machine", 3));
    }
}
