//! Sentiment once the wire is off it: check, tokenise, submit, wait, finish.

use std::pin::pin;
use std::sync::Arc;

use quintet_bundle::Task;
use quintet_bundle::text::TokenizerError;
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::error::{ServeError, Violation};
use crate::flow::{Rows, Served};
use crate::model::Model;
use crate::service::Service;
use crate::task::sentiment::{self, Reader, Reading, Sentiment};

/// Texts of a request that together have no more bytes than this are tokenised where they arrive: a quarter of a ms in
/// English, 2 ms at the worst, where the crate has to read them.
const INLINE_BYTES: usize = 16 * 1024;

/// What the model makes of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Score and label.
    pub sentiment: Sentiment,
    /// Tokens that the model read.
    pub tokens: usize,
    /// Whether the text had more.
    pub truncated: bool,
}

impl Service {
    /// The sentiment model that a request means.
    pub fn sentiment_model(&self, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        self.repository()
            .resolve(Task::TextClassification, name, version)
    }

    /// Scores texts with `model`, within the deadline: one score per text.
    pub async fn sentiment(
        &self,
        model: &Model,
        texts: Vec<String>,
        deadline: Option<Instant>,
    ) -> Result<Served<Vec<Scored>>, ServeError> {
        let (count, limit) = (texts.len(), self.limits().max_texts_per_request);
        if !(1..=limit).contains(&count) {
            return Err(ServeError::invalid(
                "texts",
                format!("holds {count} texts; 1 to {limit} are allowed"),
            ));
        }
        let Some(reader) = &model.reader else {
            return Err(ServeError::WrongTask {
                model: model.name.to_string(),
                does: model.manifest.task.as_str(),
                needs: Task::TextClassification.as_str(),
            });
        };
        let prepare = pin!(async {
            let (mut rows, mut seen) = (Rows::new(), Vec::with_capacity(count));
            for reading in self.read(reader, texts).await? {
                seen.push((reading.row.steps(), reading.truncated));
                rows.push(reading.row);
            }
            Ok((rows, seen))
        });
        model
            .serve(deadline, count, prepare, |outputs, seen| {
                let scored = outputs.iter().zip(seen);
                let scored = scored.map(|(row, (tokens, truncated))| {
                    sentiment::finish(row).map(|sentiment| Scored {
                        sentiment,
                        tokens,
                        truncated,
                    })
                });
                scored.collect()
            })
            .await
    }

    /// Tokenises the texts: short ones here, long ones on a thread for such work.
    async fn read(
        &self,
        reader: &Arc<Reader>,
        texts: Vec<String>,
    ) -> Result<SmallVec<[Reading; 1]>, ServeError> {
        let limit = self.limits().max_text_bytes;
        let sizes = texts.iter().map(String::len);
        let violations: Vec<_> = sizes
            .clone()
            .enumerate()
            .filter(|(_, bytes)| *bytes > limit)
            .map(|(index, bytes)| Violation {
                field: format!("texts[{index}]"),
                description: format!("is {bytes} bytes; at most {limit} are allowed"),
            })
            .collect();
        if !violations.is_empty() {
            return Err(ServeError::violations(violations));
        }
        if sizes.sum::<usize>() <= INLINE_BYTES {
            return each(&texts, |text| reader.read(text).map(Some));
        }
        let reader = Arc::clone(reader);
        let read = self.beside_io(move |caller| {
            // Nobody reads the rest for a caller that has gone.
            each(&texts, |text| match caller.strong_count() {
                0 => Ok(None),
                _ => reader.read(text).map(Some),
            })
        });
        // Boxed, so that requests which need no such thread are not as large.
        Box::pin(read).await
    }
}

/// Reads each text; all that cannot be read are named, by field.
fn each(
    texts: &[String],
    read: impl Fn(&str) -> Result<Option<Reading>, TokenizerError>,
) -> Result<SmallVec<[Reading; 1]>, ServeError> {
    let mut readings = SmallVec::with_capacity(texts.len());
    let mut violations = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match read(text) {
            Ok(reading) => readings.extend(reading),
            Err(error) => violations.push(Violation {
                field: format!("texts[{index}]"),
                description: error.to_string(),
            }),
        }
    }
    if violations.is_empty() {
        Ok(readings)
    } else {
        Err(ServeError::violations(violations))
    }
}
