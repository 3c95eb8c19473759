//! The process's environment: the only file that reads or changes it. The options' own variables are
//! clap's.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]

use std::path::PathBuf;

/// ONNX Runtime starts its telemetry when its library is loaded, unless this variable is 1 by then.
/// `with_telemetry(false)` comes too late.
const DISABLE_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Turns ONNX Runtime's telemetry off. Otherwise the library writes to `~/.cache/Microsoft` and looks
/// up a host to report to.
///
/// # Safety
/// No other thread may read or change the environment at the same time. Call it first in `main`.
#[expect(unsafe_code, reason = "only the caller knows which threads there are")]
pub unsafe fn disable_telemetry() {
    // SAFETY: the caller promises what `set_var` asks for.
    unsafe { std::env::set_var(DISABLE_TELEMETRY, "1") };
}

/// Whether ONNX Runtime may be loaded without starting its telemetry.
pub(crate) fn is_telemetry_disabled() -> bool {
    std::env::var_os(DISABLE_TELEMETRY).is_some_and(|value| value == "1")
}

/// Where ONNX Runtime is, by the variable that its other users know too.
pub(crate) fn ort_dylib_path() -> Option<PathBuf> {
    std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from)
}
