//! What becomes of a server that is offered twice what it can do.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use crate::load::{Generator, Latency, Measured};
use crate::process::Server;

/// The closed loop that gives the most that the server can do.
const BEST: usize = 64;
/// What each request of the flood has to be answered in.
const TIMEOUT: Duration = Duration::from_secs(1);

/// One model, before, in and after the flood.
#[derive(Debug)]
pub(crate) struct Flood {
    model: String,
    /// A closed loop.
    best: Measured,
    /// An open loop that offers as much.
    enough: Measured,
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
| model | best/s | offered once: answered/s, unsent | offered twice: answered/s, of the best | p99 of answered, of refused ms | sent late, p99 ms | refused | unsent, other errors | alone before, after µs | memory before, after MiB |
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
    let rate = best.requests_per_second;
    let enough = generator.flood(&server.address, model, rate, TIMEOUT)?;
    let during = generator.flood(&server.address, model, rate * 2.0, TIMEOUT)?;
    Ok(Flood {
        model: model.to_owned(),
        best,
        enough,
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
        "\n{machine}. The best is a closed loop of {BEST}; what is offered, once and twice as much, comes in an open one, each \
         request with a deadline of {} s. The load generator shares the cores, and costs the more the more it offers: it sends late, \
         and leaves unsent what it cannot.",
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
            enough,
            during,
            before,
            after,
        } = self;
        let ms = |latency: Option<Latency>| latency.map_or(0.0, |latency| latency.p99 / 1000.0);
        let count =
            |of: &Measured, kind: &str| of.errors.get(kind).map_or(0, |failed| failed.count);
        let refused = count(during, "RESOURCE_EXHAUSTED");
        let unsent = count(during, "UNSENT");
        let all: u64 = during.errors.values().map(|failed| failed.count).sum();
        let memory = |calm: &Calm| calm.resident_mib.unwrap_or_default();
        format!(
            "| {model} | {:.0} | {:.0}, {} | {:.0}, {:.2} | {:.0}, {:.0} | {:.0} | {refused} | {unsent}, {} | {:.0}, {:.0} | {:.0}, {:.0} |\n",
            best.requests_per_second,
            enough.requests_per_second,
            count(enough, "UNSENT"),
            during.requests_per_second,
            during.requests_per_second / best.requests_per_second,
            ms(Some(during.latency_us)),
            ms(during.refused_latency_us),
            ms(during.lateness_us),
            all - refused - unsent,
            before.p50_us,
            after.p50_us,
            memory(before),
            memory(after),
        )
    }
}
