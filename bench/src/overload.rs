//! A server that is offered twice the load that it can answer.

use std::time::Duration;

use crate::Result;
use crate::load::{Generator, Latency, Measured};
use crate::process::Server;
use crate::table::{self, Series};

/// The closed loop that gives the most that the server can do.
pub(crate) const BEST: usize = 64;
/// What each request of the flood has to be answered in.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Before, in and after a flood.
#[derive(Debug)]
pub(crate) struct Pass {
    /// A closed loop.
    best: Measured,
    /// An open loop that offers as much.
    once: Measured,
    twice: Measured,
    before: Calm,
    after: Calm,
}

/// The server with nothing else to do.
#[derive(Debug)]
struct Calm {
    p50_us: f64,
    resident_mib: Option<f64>,
}

impl Pass {
    /// Floods the server once.
    pub(crate) fn measure(model: &str, generator: &Generator, server: &Server) -> Result<Self> {
        let address = &server.address;
        let calm = || -> Result<Calm> {
            Ok(Calm {
                p50_us: generator.run(address, model, 1, &[])?.latency_us.p50,
                resident_mib: server.resident_mib(),
            })
        };
        let best = generator.run(address, model, BEST, &[])?;
        let rate = best.requests_per_second;
        Ok(Self {
            best,
            before: calm()?,
            once: generator.flood(address, model, rate, TIMEOUT)?,
            twice: generator.flood(address, model, rate * 2.0, TIMEOUT)?,
            after: calm()?,
        })
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | best/s | offered once: answered/s, of the best | offered twice: answered/s, of the best (least to most) | p99 of answered, of refused ms | sent late, p99 ms | refused | unsent, other errors | alone before, after µs | memory before, after MiB |
|---|---|---|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: &dyn Fn(&Self) -> f64| series.median(figure);
        let share = |pass: &Self| pass.twice.requests_per_second / pass.best.requests_per_second;
        let ms = |latency: Option<Latency>| latency.map_or(0.0, |latency| latency.p99 / 1000.0);
        let (refused, unsent) = ("RESOURCE_EXHAUSTED", "UNSENT");
        let others = |pass: &Self| {
            let all = pass.twice.errors.iter();
            all.filter(|(kind, _)| *kind != refused && *kind != unsent)
                .map(|(_, failed)| failed.count)
                .sum::<u64>() as f64
        };
        let memory = |calm: &Calm| calm.resident_mib.unwrap_or_default();
        format!(
            "| {} | {:.0} | {:.0}, {:.2} | {:.0}, {:.2} ({:.2} to {:.2}) | {:.0}, {:.0} | {:.0} | {:.0} | {:.0}, {:.0} | {:.0}, {:.0} | {:.0}, {:.0} |\n",
            series.model,
            of(&|pass| pass.best.requests_per_second),
            of(&|pass| pass.once.requests_per_second),
            of(&|pass| pass.once.requests_per_second / pass.best.requests_per_second),
            of(&|pass| pass.twice.requests_per_second),
            of(&share),
            series
                .passes
                .iter()
                .map(share)
                .fold(f64::INFINITY, f64::min),
            series.passes.iter().map(share).fold(0.0, f64::max),
            of(&|pass| ms(Some(pass.twice.latency_us))),
            of(&|pass| ms(pass.twice.refused_latency_us)),
            of(&|pass| ms(pass.twice.lateness_us)),
            of(&|pass| pass.twice.count(refused)),
            of(&|pass| pass.twice.count(unsent)),
            of(&others),
            of(&|pass| pass.before.p50_us),
            of(&|pass| pass.after.p50_us),
            of(&|pass| memory(&pass.before)),
            of(&|pass| memory(&pass.after)),
        )
    }

    fn note(_: &[Series<Self>]) -> String {
        format!(
            ". The best is a closed loop of {BEST}; what is offered, once and twice as much, comes in an \
             open one, each request with a deadline of {} s. A load generator on the same cores costs \
             the more the more it offers: it sends late, and leaves unsent what it cannot.",
            TIMEOUT.as_secs()
        )
    }
}

impl Measured {
    /// Requests that failed so.
    fn count(&self, kind: &str) -> f64 {
        self.errors.get(kind).map_or(0, |failed| failed.count) as f64
    }
}

#[cfg(test)]
mod tests {

    use expect_test::expect;

    use super::*;
    use crate::load::Failed;

    fn measured(requests_per_second: f64, failed: &[(&str, u64)]) -> Measured {
        let failed = failed.iter().map(|(kind, count)| {
            let message = String::new();
            (
                (*kind).to_owned(),
                Failed {
                    count: *count,
                    message,
                },
            )
        });
        let latency = |p50| Latency {
            p50,
            p99: p50 * 2.0,
        };
        Measured {
            requests: 0,
            requests_per_second,
            latency_us: latency(20_000.0),
            refused_latency_us: Some(latency(1_000.0)),
            lateness_us: Some(latency(500.0)),
            errors: failed.collect(),
            mean_batch_size: None,
            generator_cpu_us_per_request: 7.0,
        }
    }

    #[test]
    fn a_flood_is_told_by_its_medians_and_its_share_by_its_extremes_too() {
        let pass = |best: f64, twice: f64| Pass {
            best: measured(best, &[]),
            once: measured(best * 0.95, &[]),
            twice: measured(
                twice,
                &[("RESOURCE_EXHAUSTED", 90), ("UNSENT", 7), ("RESET", 2)],
            ),
            before: Calm {
                p50_us: 150.0,
                resident_mib: Some(200.0),
            },
            after: Calm {
                p50_us: 140.0,
                resident_mib: Some(201.0),
            },
        };
        let mut series = Series::new("cnn", BEST);
        series.passes = vec![pass(100.0, 90.0), pass(200.0, 160.0), pass(100.0, 94.0)];
        expect![[r"
            | cnn | 100 | 95, 0.95 | 94, 0.90 (0.80 to 0.94) | 40, 2 | 1 | 90 | 7, 2 | 150, 140 | 200, 201 |
        "]].assert_eq(&table::Pass::row(&series));
    }
}
