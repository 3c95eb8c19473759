//! Whether the options of batching fit the bounds on requests.

use super::ConfigError;
use crate::batching::Settings;
use crate::task::Limits;

impl Settings {
    /// Checks that the queue of these options, which stand at `place`, holds the largest request.
    pub(super) fn check(&self, place: &str, limits: &Limits) -> Result<(), ConfigError> {
        let queue = self.max_queue_size;
        let (images, texts) = (limits.classify, limits.text);
        for (limit, rows) in [
            ("max_images_per_request", images.max_images_per_request),
            ("max_texts_per_request", texts.max_texts_per_request),
        ] {
            if queue < rows {
                let refused = format!("{queue} rows cannot hold one request of {limit} ({rows})");
                let problem = format!("{refused}; raise it or lower that");
                return Err(ConfigError::new(format!("{place}max_queue_size"), problem));
            }
        }
        Ok(())
    }
}
