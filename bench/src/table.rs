//! The table: medians of the passes, and the ratios.

use std::fmt::Write as _;

use crate::inference::Speed;
use crate::load::Measured;

/// A model at a concurrency.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) model: String,
    pub(crate) concurrency: usize,
    pub(crate) passes: Vec<Pass>,
}

/// Measured right after each other.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) inference: Speed,
    pub(crate) echo: Measured,
    pub(crate) quintet: Measured,
}

const HEADER: &str = "\
| model | concurrency | echo/s, p50 µs | runtime/s, batch; one row µs, rested | limit/s | Quintet/s | p50, p99 µs | mean batch | of the limit | p50 / (echo + runtime), rested |
|---|---|---|---|---|---|---|---|---|---|
";

/// The middle value, the mean of the two middle ones of an even number; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

/// The table as Markdown, and below it what it was measured on.
pub(crate) fn render(rows: &[Row], machine: &str, seconds: u64) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        text.push_str(&row.render());
    }
    let passes = rows.iter().map(|row| row.passes.len()).max().unwrap_or(0);
    let cost = rows
        .iter()
        .map(|row| row.median(|pass| pass.quintet.generator_cpu_us_per_request))
        .fold(f64::INFINITY, f64::min);
    writeln!(
        text,
        "\n{machine}. Medians of {passes} interleaved passes of {seconds} s, one image a request, one connection. \
         limit = 1 / (1/echo + 1/runtime). Rested: each run of the runtime after 100 µs of idleness, which is how a core \
         finds it that waits for a caller. The load generator shares the cores; it costs {cost:.1} µs of CPU a request \
         at its cheapest."
    )
    .expect("writing to a string does not fail");
    text
}

// === impl Pass ===

impl Pass {
    /// Requests a second if batching were free.
    fn limit(&self) -> f64 {
        1.0 / (1.0 / self.echo.requests_per_second + 1.0 / self.inference.rows_per_second)
    }

    fn of_the_limit(&self) -> f64 {
        self.quintet.requests_per_second / self.limit()
    }

    /// Quintet's median latency by those of its two parts, inference taking so many microseconds.
    fn latency_ratio(&self, inference_us: f64) -> f64 {
        self.quintet.latency_us.p50 / (self.echo.latency_us.p50 + inference_us)
    }
}

// === impl Row ===

impl Row {
    fn median(&self, figure: impl Fn(&Pass) -> f64) -> f64 {
        median(self.passes.iter().map(figure).collect())
    }

    fn render(&self) -> String {
        let latency_ratio = if self.concurrency == 1 {
            format!(
                "{:.2}, {:.2}",
                self.median(|pass| pass.latency_ratio(pass.inference.single_us)),
                self.median(|pass| pass.latency_ratio(pass.inference.rested_us)),
            )
        } else {
            String::new()
        };
        format!(
            "| {} | {} | {:.0}, {:.0} | {:.0}, {:.0}; {:.0}, {:.0} | {:.0} | {:.0} | {:.0}, {:.0} | {:.1} | {:.2} | {latency_ratio} |\n",
            self.model,
            self.concurrency,
            self.median(|pass| pass.echo.requests_per_second),
            self.median(|pass| pass.echo.latency_us.p50),
            self.median(|pass| pass.inference.rows_per_second),
            self.median(|pass| pass.inference.batch as f64),
            self.median(|pass| pass.inference.single_us),
            self.median(|pass| pass.inference.rested_us),
            self.median(Pass::limit),
            self.median(|pass| pass.quintet.requests_per_second),
            self.median(|pass| pass.quintet.latency_us.p50),
            self.median(|pass| pass.quintet.latency_us.p99),
            self.median(|pass| pass.quintet.mean_batch_size.unwrap_or_default()),
            self.median(Pass::of_the_limit),
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
    fn medians() {
        for (values, middle) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            assert!(median(values).total_cmp(&middle).is_eq(), "{middle}");
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
        let rows = [1, 64].map(|concurrency| Row {
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
        "#]].assert_eq(&render(&rows, "A machine", 3));
    }
}
