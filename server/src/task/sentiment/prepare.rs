//! From texts to rows.

use std::error::Error;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use quintet_bundle::text::{Encoded, TOKENIZER_FILE, TextSpec, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, DataType, Manifest, Role};
use smallvec::SmallVec;

use super::Limits;
use super::finish::Output;
use crate::blocking::Lane;
use crate::error::{ServeError, Violation};
use crate::runtime::Row;

/// Texts of a request that together have no more bytes than this are tokenised on the I/O thread: a
/// quarter of a ms in English, 2 ms at the worst, where the `tokenizers` crate has to read them.
const INLINE_BYTES: usize = 16 * 1024;

/// Turns texts into the rows of one model, and its rows into scores.
#[derive(Debug)]
pub struct Reader {
    tokenizer: Tokenizer,
    spec: TextSpec,
    /// In the graph's order.
    inputs: Vec<(Role, DataType)>,
    pub(super) output: Output,
}

/// A text as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The model's input.
    pub row: Row,
    /// Whether the text was longer; then the row is its end.
    pub truncated: bool,
    /// Tokens of the row that stand for words.
    pub words: usize,
    /// How many of these the vocabulary has.
    pub known: usize,
}

/// Tokenises texts: long ones on a blocking thread.
pub(super) async fn read(
    blocking: Lane<'_>,
    limits: Limits,
    reader: Arc<Reader>,
    texts: Vec<String>,
    refuse_unreadable: bool,
) -> Result<SmallVec<[Reading; 1]>, ServeError> {
    let limit = limits.max_text_bytes;
    let sizes = texts.iter().enumerate().map(|(index, text)| {
        let bytes = text.len();
        if bytes <= limit {
            return Ok(bytes);
        }
        let description = format!("is {bytes} bytes; at most {limit} are allowed");
        Err(Violation::new(format!("texts[{index}]"), description))
    });
    let bytes: usize = ServeError::collect::<_, SmallVec<[usize; 8]>>(sizes)?
        .iter()
        .sum();
    let is_short = bytes <= INLINE_BYTES;
    let read = move |index, text: String| {
        let refused = |reason: String| Violation::new(format!("texts[{index}]"), reason);
        let reading = reader.read(&text).map_err(|it| refused(it.to_string()))?;
        if refuse_unreadable && reading.known == 0 {
            return Err(refused("has no word that the model knows".to_owned()));
        }
        Ok(reading)
    };
    blocking.each(is_short, texts, read).await
}

impl Reader {
    /// The reader of a bundle.
    ///
    /// # Errors
    /// The model does not read tokens or gives no score, or the bundle's tokeniser is missing,
    /// cannot be read or lacks the token for padding.
    pub fn of(bundle: &Bundle) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let manifest = bundle.manifest();
        let spec = manifest.spec()?;
        let (inputs, output) = (inputs(manifest)?, Output::of(manifest)?);
        let json = bundle.file(TOKENIZER_FILE).unwrap_or_default();
        let tokenizer = Tokenizer::from_bytes(json)?;
        tokenizer.check(&spec)?;
        Ok(Self {
            tokenizer,
            spec,
            inputs,
            output,
        })
    }

    /// How many different tokens there are, from 0 on.
    pub fn vocabulary_size(&self) -> usize {
        self.tokenizer.vocabulary_size()
    }

    /// A text as the model's input row.
    ///
    /// # Errors
    /// The tokeniser fails, which one that the trainer made never does.
    pub fn read(&self, text: &str) -> Result<Reading, TokenizerError> {
        let Encoded {
            tokens,
            truncated,
            words,
            known,
            ..
        } = self.tokenizer.encode(text, &self.spec)?;
        let steps = tokens.len();
        // All cells in one piece of memory.
        let capacity = (self.inputs.len() * steps + 1) * size_of::<i64>();
        let mut bytes = BytesMut::with_capacity(capacity);
        let cells = self.inputs.iter().map(|(role, datatype)| {
            match role {
                Role::Lengths => append(&mut bytes, *datatype, &[steps as i64]),
                Role::AttentionMask => append(&mut bytes, *datatype, &vec![1; steps]),
                Role::TokenTypeIds => append(&mut bytes, *datatype, &vec![0; steps]),
                _ => append(&mut bytes, *datatype, &tokens),
            }
            bytes.split().freeze()
        });
        Ok(Reading {
            row: Row::sequence(cells, steps),
            truncated,
            words,
            known,
        })
    }
}

/// The role and type of each input.
///
/// # Errors
/// Why they cannot be made of a text.
pub(super) fn inputs(manifest: &Manifest) -> Result<Vec<(Role, DataType)>, String> {
    let of_text = |role: Role| role.is_sequence() || role == Role::Lengths;
    let inputs = manifest.inputs.iter().map(|input| match input.role {
        Some(role) if of_text(role) => Ok((role, input.datatype)),
        _ => Err(format!("its input {} is no part of a text", input.name)),
    });
    let inputs: Vec<_> = inputs.collect::<Result<_, _>>()?;
    let has = |wanted| inputs.iter().any(|(role, _)| *role == wanted);
    if has(Role::Tokens) && (has(Role::Lengths) || has(Role::AttentionMask)) {
        return Ok(inputs);
    }
    Err("it needs inputs of role tokens and of role lengths or attention_mask".to_owned())
}

/// Appends integers as elements of this type, little-endian.
fn append(bytes: &mut BytesMut, datatype: DataType, values: &[i64]) {
    match datatype {
        DataType::Int64 => bytes.extend_from_slice(bytemuck::cast_slice(values)),
        _ => values
            .iter()
            .for_each(|value| bytes.put_i32_le(*value as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        Reader {
            tokenizer: Tokenizer::train(["good film", "good good"], 5).unwrap(),
            spec: TextSpec::end_of(4),
            inputs: vec![
                (Role::Tokens, DataType::Int64),
                (Role::Lengths, DataType::Int32),
            ],
            output: Output::Score(0),
        }
    }

    #[test]
    fn every_role_has_its_cell() {
        let mut reader = reader();
        reader.inputs = vec![
            (Role::AttentionMask, DataType::Int64),
            (Role::Tokens, DataType::Int32),
            (Role::TokenTypeIds, DataType::Int64),
        ];
        let row = reader.read("good film").unwrap().row;
        let longs = |values: [i64; 3]| values.map(i64::to_le_bytes).concat();
        assert_eq!(row[0], longs([1; 3]));
        assert_eq!(row[1], [1_i32, 3, 4].map(i32::to_le_bytes).concat());
        assert_eq!(row[2], longs([0; 3]));
    }

    #[test]
    fn a_row_is_the_tokens_and_how_many_there_are() {
        // [START], then `good` 3, `film` 4, anything else 2.
        for (text, tokens, truncated, known) in [
            ("Good FILM", vec![1, 3, 4], false, 2),
            ("", vec![1], false, 0),
            ("zzz", vec![1, 2], false, 0),
            ("film a b c d film", vec![2, 2, 2, 4], true, 1),
        ] {
            let Reading {
                row,
                truncated: cut,
                known: found,
                ..
            } = reader().read(text).unwrap();
            let bytes: Vec<u8> = tokens.iter().flat_map(|t: &i64| t.to_le_bytes()).collect();
            assert_eq!(row[0], bytes, "{text}");
            assert_eq!(row[1], (tokens.len() as i32).to_le_bytes()[..]);
            assert_eq!((row.steps(), cut, found), (tokens.len(), truncated, known));
        }
    }
}
