//! `quintet-server`: parse, build, bind, serve; or ask another one whether it is ready.

use std::io::Write as _;
use std::process::ExitCode;

use quintet_server::config::{Command, Config, TokenCommand};
use quintet_server::{environment, healthcheck, shutdown};
use tokio::net::TcpListener;

/// A request makes and frees some dozens of small things, often on two threads; glibc's allocator takes a lock for the
/// second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for a configuration that cannot be used (sysexits.h: EX_USAGE).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    #[expect(unsafe_code, reason = "a variable of the environment is set")]
    // SAFETY: this is the only thread.
    unsafe {
        environment::disable_telemetry();
    }
    match run() {
        Ok(code) => code,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = match Config::read(std::env::args_os()) {
        Ok(config) => config,
        Err(error) => {
            report(&error);
            return Ok(ExitCode::from(USAGE));
        }
    };
    if let Some(printed) = &config.printed {
        std::io::stdout().write_all(printed.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (listen, admin_listen) = (config.network.listen, config.network.admin_listen);
    match &config.command {
        Some(Command::Healthcheck) => {
            healthcheck::ask(admin_listen, config.tls.admin_tls_cert.is_some())?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Token(TokenCommand::New(new))) => {
            std::io::stdout().write_all(new.create()?.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    config.log.init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // Before anything that takes time, in which SIGHUP would end the process.
    let shutdown = {
        let _inside = runtime.enter();
        shutdown::signals()?
    };
    let app = config.build()?;
    let ended = runtime.block_on(async {
        let bind = async |address: std::net::SocketAddr| {
            TcpListener::bind(address)
                .await
                .map_err(|error| format!("cannot listen on {address}: {error}"))
        };
        let grpc = bind(listen).await?;
        let admin = bind(admin_listen).await?;
        tracing::info!(grpc = %grpc.local_addr()?, http = %admin.local_addr()?, "listening");
        let given_up = app.serve(grpc, admin, shutdown).await;
        Ok(if given_up == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    });
    // A batch that never ends must not hold the process: dropping the runtime waits for it.
    runtime.shutdown_background();
    ended
}

/// There may be no log yet, and nobody may read it.
fn report(error: &dyn std::error::Error) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}
