//! What the figures were measured on, and how.

use std::thread::available_parallelism;
use std::time::SystemTime;

/// The processor, its cores, the command and the date, in a line.
pub(crate) fn describe() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = available_parallelism().map_or(0, usize::from);
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap_or_default();
    let command: Vec<String> = std::iter::once("quintet-bench".to_owned())
        .chain(std::env::args().skip(1))
        .collect();
    format!(
        "{}, {cores} cores, {}; `{}`; {date}",
        processor(&cpu),
        std::env::consts::OS,
        command.join(" ")
    )
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
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel name\t: Imaginary CPU @ 2.0GHz\nflags\t: x\nmodel name\t: Other\n";
        assert_eq!(processor(text), "Imaginary CPU @ 2.0GHz");
        assert_eq!(processor(""), std::env::consts::ARCH);
    }
}
