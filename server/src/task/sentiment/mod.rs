//! Sentiment: how probable the positive one of a model's two labels is.

mod finish;
mod wire;

pub(super) use finish::Polarity;
pub(super) use wire::call;
