//! Adversarial training: how the GAN learns, how its digits are judged, and how its generator becomes a bundle.
//!
//! ```text
//! noise ─► generator ─► digits ─► discriminator ─► loss     every step, in turn with handwritten digits
//!              └─► average ─► 10,000 digits ─► judge        every epoch
//! ```

pub mod fit;
mod phase;
pub mod pictures;
pub mod quality;
pub mod release;
pub mod typical;

pub use fit::{AdversarialFit, GanMetrics, fit};
pub use quality::{Judge, JudgeError, Quality};
pub use release::{GanRelease, release};
