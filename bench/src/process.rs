//! Servers as child processes, killed with the value.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{Arguments, Result};

/// A running server that is ready.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    /// Where it serves gRPC.
    pub(crate) address: String,
}

/// A program on these cores of the machine alone, a list as `taskset --cpu-list` takes it, or on
/// all.
pub(crate) fn on_cores(cores: Option<&str>, program: &Path) -> Command {
    let Some(cores) = cores else {
        return Command::new(program);
    };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]).arg(program);
    command
}

impl Server {
    /// The echo of this very program.
    pub(crate) fn echo() -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg("echo"))
    }

    /// Quintet as a user would run it, but on free ports.
    pub(crate) fn quintet(
        program: &Path,
        cores: Option<&str>,
        arguments: &Arguments,
    ) -> Result<Self> {
        let device = arguments.device.to_string();
        Self::start(
            on_cores(cores, program)
                .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
                .args(["--log", "info", "--log-format", "json", "--device", &device])
                .arg("--models-dir")
                .arg(&arguments.models_dir)
                .arg("--onnxruntime")
                .arg(&arguments.onnxruntime),
        )
    }

    /// Memory that it holds, in MiB, where the system says (Linux).
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }

    /// Reads its log until it is ready; the lines say where it listens.
    fn start(command: &mut Command) -> Result<Self> {
        let program = Path::new(command.get_program()).display().to_string();
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {program}: {error}"))?;
        let log = process.stderr.take().expect("stderr is a pipe");
        let mut lines = BufReader::new(log).lines();
        let mut server = Self {
            process,
            address: String::new(),
        };
        let mut last = String::new();
        for line in lines.by_ref() {
            last = line?;
            let entry: Value = serde_json::from_str(&last).unwrap_or_default();
            match entry["message"].as_str() {
                Some("listening") => {
                    entry["grpc"]
                        .as_str()
                        .unwrap_or_default()
                        .clone_into(&mut server.address);
                }
                Some("ready") => {
                    // A full pipe would stop it.
                    std::thread::spawn(move || lines.for_each(drop));
                    return Ok(server);
                }
                _ => {}
            }
        }
        Err(format!("{program} ended before it was ready: {last}").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
