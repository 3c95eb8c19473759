//! The signals that end the server.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A SIGTERM that comes so soon after the first is the same request: GNU's `timeout` sends one to
/// the process and one to its group.
const SAME: Duration = Duration::from_secs(1);

/// Takes the signals from now on, inside a runtime. Resolves at the first SIGINT or SIGTERM. A
/// later SIGTERM, and any second SIGINT, end the process at once, even while nothing waits for the
/// first. SIGHUP is logged only; `reload.rs` waits for it too.
///
/// # Errors
/// When the operating system lets no handler be set.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(log(signal(SignalKind::hangup())?));
    let (ask, asked) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let first = Instant::now();
        // The receiver is gone if the start has failed.
        let _ = ask.send(());
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
    Ok(async move {
        // The task ends only with the runtime.
        let _ = asked.await;
    })
}

async fn log(mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: certificates and tokens are read again, if there are any");
    }
}
