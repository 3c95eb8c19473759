//! What becomes of a server that is offered twice what it can do.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use crate::load::{Generator, Latency, Measured};
use crate::process::Server;

/// The closed loop that gives the most that the server can do.
const BEST: usize = 64;
/// How often that is offered.
const EXCESS: f64 = 2.0;
/// What each request of the flood has to be answered in.
const TIMEOUT: Duration = Duration::from_secs(1);

/// One model, before, in and after the flood.
#[derive(Debug)]
pub(crate) struct Flood {
    model: String,
    best: Measured,
    during: Measured,
    before: Calm,
    after: Calm,
}

/// The server with nothing else to do.
#[derive(Debug)]
struct Calm {
    p50_us: f64,
    resident_mib: Option<f64>,
}

const HEADER: &str = "\
| model | best/s | offered/s | answered/s | of the best | p99 of answered ms | refused, p99 ms | other errors | alone before, after µs | memory before, after MiB |
|---|---|---|---|---|---|---|---|---|---|
";

/// Floods the server with requests for `model`.
pub(crate) fn measure(
    generator: &Generator,
    server: &Server,
    model: &str,
) -> Result<Flood, Box<dyn Error>> {
    let calm = || -> Result<Calm, Box<dyn Error>> {
        Ok(Calm {
            p50_us: generator.run(&server.address, model, 1)?.latency_us.p50,
            resident_mib: server.resident_mib(),
        })
    };
    let best = generator.run(&server.address, model, BEST)?;
    let before = calm()?;
    let rate = best.requests_per_second * EXCESS;
    let during = generator.flood(&server.address, model, rate, TIMEOUT)?;
    Ok(Flood {
        model: model.to_owned(),
        best,
        during,
        before,
        after: calm()?,
    })
}

/// The table as Markdown.
pub(crate) fn render(floods: &[Flood], machine: &str) -> String {
    let mut text = HEADER.to_owned();
    for flood in floods {
        text.push_str(&flood.render());
    }
    writeln!(
        text,
        "\n{machine}. The best is a closed loop of {BEST}, the flood an open one of {EXCESS} times as much, each request \
         with a deadline of {} s. The load generator shares the cores, and costs the more the more it offers.",
        TIMEOUT.as_secs()
    )
    .expect("writing to a string does not fail");
    text
}

// === impl Flood ===

impl Flood {
    fn render(&self) -> String {
        let Self {
            model,
            best,
            during,
            before,
            after,
        } = self;
        let ms = |latency: Option<Latency>| latency.map_or(0.0, |latency| latency.p99 / 1000.0);
        let refused = |kind: &str| kind == "RESOURCE_EXHAUSTED";
        let count = |wanted: bool| -> u64 {
            let counts = during.errors.iter();
            counts
                .filter(|(kind, _)| refused(kind) == wanted)
                .map(|(_, failed)| failed.count)
                .sum()
        };
        let memory = |calm: &Calm| calm.resident_mib.unwrap_or_default();
        format!(
            "| {model} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {}, {:.1} | {} | {:.0}, {:.0} | {:.0}, {:.0} |\n",
            best.requests_per_second,
            best.requests_per_second * EXCESS,
            during.requests_per_second,
            during.requests_per_second / best.requests_per_second,
            ms(Some(during.latency_us)),
            count(true),
            ms(during.refused_latency_us),
            count(false),
            before.p50_us,
            after.p50_us,
            memory(before),
            memory(after),
        )
    }
}
