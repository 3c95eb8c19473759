//! The signals that end the server.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// A SIGTERM that comes so soon after the first is the same request: GNU's `timeout` sends one to
/// the process and one to its group.
const SAME: Duration = Duration::from_secs(1);

/// Resolves at the first SIGINT or SIGTERM. A later SIGTERM, and any second SIGINT, end the process
/// at once. SIGHUP is logged only; `reload.rs` waits for it too.
///
/// # Errors
/// When the operating system lets no handler be set.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(log(signal(SignalKind::hangup())?));
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let first = Instant::now();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => break,
                    _ = terminate.recv() => if first.elapsed() > SAME { break },
                }
            }
            tracing::warn!("second signal: ending at once");
            #[expect(clippy::exit, reason = "the operator has asked twice")]
            std::process::exit(130);
        });
    })
}

async fn log(mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: certificates and tokens are read again, if there are any");
    }
}
