//! The machine and the command of a measurement.

use std::thread::available_parallelism;
use std::time::SystemTime;

/// Measures the steal time of a run, which the host gave to other machines: with much of it,
/// figures mean little.
#[derive(Debug)]
pub(crate) struct Watch {
    before: Option<Ticks>,
}

/// Of all cores, in the system's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            before: Ticks::now(),
        }
    }

    /// The processor, its cores, the command and the date, and what was stolen meanwhile, in a
    /// line.
    pub(crate) fn describe(&self) -> String {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cores = available_parallelism().map_or(0, usize::from);
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let date = now.split('T').next().unwrap_or_default();
        let arguments: String = std::env::args()
            .skip(1)
            .map(|it| " ".to_owned() + &it)
            .collect();
        let stolen = self.stolen().map_or_else(String::new, |part| {
            let percent = part * 100.0;
            format!("; the host gave {percent:.0} % of the cores' time to others")
        });
        format!(
            "{}, {cores} cores, {}; `quintet-bench{arguments}`; {date}{stolen}",
            processor(&cpu),
            std::env::consts::OS,
        )
    }

    /// The part of the time; `None` where the system does not tell.
    fn stolen(&self) -> Option<f64> {
        let (before, now) = (self.before?, Ticks::now()?);
        let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
        Some(now.stolen.saturating_sub(before.stolen) as f64 / all as f64)
    }
}

impl Ticks {
    fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// proc(5): user, nice, system, idle, iowait, irq, softirq, steal, and then guests' that are
    /// counted already.
    fn parse(stat: &str) -> Option<Self> {
        let cores = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Result<Vec<u64>, _> = cores.split_whitespace().take(8).map(str::parse).collect();
        let ticks = ticks.ok()?;
        Some(Self {
            all: ticks.iter().sum(),
            stolen: *ticks.get(7)?,
        })
    }
}

/// The first processor's name in `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> &str {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or(std::env::consts::ARCH, |(_, name)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_read() {
        let text = "cpu  10 0 5 70 0 0 5 10 3 0\ncpu0 5 0 0 0 0 0 0 0 0 0\n";
        let ticks = Ticks {
            all: 100,
            stolen: 10,
        };
        assert_eq!(Ticks::parse(text), Some(ticks));
        assert_eq!(Ticks::parse("intr 1 2 3"), None);
    }

    #[test]
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel name\t: Imaginary CPU @ 2.0GHz\nflags\t: x\nmodel name\t: Other\n";
        assert_eq!(processor(text), "Imaginary CPU @ 2.0GHz");
        assert_eq!(processor(""), std::env::consts::ARCH);
    }
}
