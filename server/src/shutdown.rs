//! The signals that end the server.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first SIGINT or SIGTERM. A second one ends the process at once.
///
/// # Errors
/// When the operating system lets no handler be set.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        next(&mut interrupt, &mut terminate).await;
        tokio::spawn(async move {
            next(&mut interrupt, &mut terminate).await;
            tracing::warn!("second signal: ending at once");
            #[expect(clippy::exit, reason = "the operator has asked twice")]
            std::process::exit(130);
        });
    })
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
