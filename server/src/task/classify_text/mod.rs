//! Text classification by any labels: ranked labels, logits, pairs of texts.

mod finish;
mod wire;

pub(super) use wire::call;
