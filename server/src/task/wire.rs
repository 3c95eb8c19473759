//! What the messages of several tasks share. Enums of proto3 are open: an unknown value is the
//! caller's error.

use quintet_proto::v1;

use crate::error::ServeError;
use crate::flow::Spent;
use crate::model::Model;

/// Where a request's time went.
pub(super) fn timing(spent: &Spent) -> v1::Timing {
    v1::Timing {
        preprocess_us: spent.preprocess.as_micros() as u64,
        queue_us: spent.inside.queue.as_micros() as u64,
        compute_us: spent.inside.compute.as_micros() as u64,
        batch_size: spent.inside.batch_size as u32,
    }
}

/// The name of the model's class at `index`.
pub(super) fn label_name(model: &Model, index: usize) -> String {
    let label = model.manifest.labels.get(index);
    label.cloned().unwrap_or_default()
}

/// A ranked class of the model.
pub(super) fn label(model: &Model, (index, probability): (usize, f32)) -> v1::Label {
    v1::Label {
        name: label_name(model, index),
        index: index as u32,
        probability,
    }
}

/// What a request asks to be done with an input in which there is nothing to read.
pub(super) fn on_unreadable(value: i32) -> Result<v1::OnUnreadable, ServeError> {
    v1::OnUnreadable::try_from(value).map_err(|_| {
        let allowed = "ON_UNREADABLE_ANSWER (1) and ON_UNREADABLE_ERROR (2) are allowed";
        ServeError::invalid("on_unreadable", format!("is {value}; {allowed}"))
    })
}
