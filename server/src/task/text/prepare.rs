//! From texts to rows.

use std::error::Error;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use quintet_bundle::text::{Encoded, Pairs, TOKENIZER_FILE, TextSpec, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, DataType, Manifest, Role};
use smallvec::SmallVec;

use super::{Limits, Output};
use crate::blocking::Lane;
use crate::error::{ServeError, Violation};
use crate::runtime::Row;

/// Texts of a request that together have no more bytes than this are tokenised on the I/O thread: a
/// quarter of a ms in English, 2 ms at the worst, where the `tokenizers` crate has to read them.
const INLINE_BYTES: usize = 16 * 1024;
/// The same of a tokeniser that came with another model: the crate takes three quarters of a ms for
/// so many bytes of English.
const INLINE_BYTES_IMPORTED: usize = 1024;

/// What a request holds of one text.
pub(in crate::task) trait Input: Send + 'static {
    fn text(&self) -> &str;

    /// The second text of a pair.
    fn pair(&self) -> Option<&str>;
}

impl Input for String {
    fn text(&self) -> &str {
        self
    }

    fn pair(&self) -> Option<&str> {
        None
    }
}

/// Turns texts into the rows of one model, and its rows into what they say of the labels.
#[derive(Debug)]
pub struct Reader {
    tokenizer: Tokenizer,
    spec: TextSpec,
    /// In the graph's order.
    inputs: Vec<(Role, DataType)>,
    reads_pairs: bool,
    pub(in crate::task) output: Output,
}

/// A text as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The model's input.
    pub row: Row,
    /// Whether the text was longer; then the row is a part of it.
    pub truncated: bool,
    /// Tokens of the whole text.
    pub total: usize,
    /// Tokens of the row that stand for words.
    pub words: usize,
    /// How many of these the vocabulary has.
    pub known: usize,
}

/// Tokenises texts: long ones on a blocking thread. `check` may refuse one that has been read.
pub(in crate::task) async fn read<T: Input>(
    blocking: Lane<'_>,
    limits: Limits,
    reader: Arc<Reader>,
    texts: Vec<T>,
    check: impl Fn(&Reading) -> Result<(), String> + Send + 'static,
) -> Result<SmallVec<[Reading; 1]>, ServeError> {
    let limit = limits.max_text_bytes;
    let sizes = texts.iter().enumerate().map(|(index, input)| {
        let pair = input.pair();
        if pair.is_some() && !reader.reads_pairs {
            let field = format!("texts[{index}].text_pair");
            return Err(Violation::new(
                field,
                "is set; the model reads single texts",
            ));
        }
        let bytes = input.text().len() + pair.map_or(0, str::len);
        if bytes <= limit {
            return Ok(bytes);
        }
        let description = format!("is {bytes} bytes; at most {limit} are allowed");
        Err(Violation::new(format!("texts[{index}]"), description))
    });
    let bytes: usize = ServeError::collect::<_, SmallVec<[usize; 8]>>(sizes)?
        .iter()
        .sum();
    let is_short = bytes <= reader.inline_bytes();
    let read = move |index, input: T| {
        let refused = |reason: String| Violation::new(format!("texts[{index}]"), reason);
        let reading = reader.read(input.text(), input.pair());
        let reading = reading.map_err(|it| refused(it.to_string()))?;
        check(&reading).map_err(refused)?;
        Ok(reading)
    };
    blocking.each(is_short, texts, read).await
}

impl Reader {
    /// The reader of a bundle.
    ///
    /// # Errors
    /// The model does not read tokens or says nothing of its labels, or the bundle's tokeniser is
    /// missing, cannot be read or lacks the token for padding.
    pub fn of(bundle: &Bundle) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let manifest = bundle.manifest();
        let spec = manifest.spec()?;
        let (inputs, output) = (inputs(manifest)?, Output::of(manifest)?);
        let json = bundle.file(TOKENIZER_FILE).unwrap_or_default();
        let tokenizer = Tokenizer::from_bytes(json)?;
        tokenizer.check(&spec)?;
        let has_types = inputs.iter().any(|(role, _)| *role == Role::TokenTypeIds);
        let reads_pairs = match tokenizer.pairs() {
            Pairs::None => false,
            Pairs::Untyped => true,
            Pairs::Typed => has_types,
        };
        Ok(Self {
            tokenizer,
            spec,
            inputs,
            reads_pairs,
            output,
        })
    }

    /// How many numbers from 0 on its tokens have.
    pub fn vocabulary_size(&self) -> usize {
        self.tokenizer.vocabulary_size()
    }

    fn inline_bytes(&self) -> usize {
        if self.tokenizer.is_fast() {
            INLINE_BYTES
        } else {
            INLINE_BYTES_IMPORTED
        }
    }

    /// A text, or a pair of texts, as the model's input row.
    ///
    /// # Errors
    /// The tokeniser fails, which one that the trainer made never does for a single text.
    pub fn read(&self, text: &str, pair: Option<&str>) -> Result<Reading, TokenizerError> {
        let Encoded {
            tokens,
            token_type_ids,
            truncated,
            total,
            words,
            known,
        } = match pair {
            Some(pair) => self.tokenizer.encode_pair(text, pair, &self.spec)?,
            None => self.tokenizer.encode(text, &self.spec)?,
        };
        let steps = tokens.len();
        // All cells in one piece of memory.
        let capacity = (self.inputs.len() * steps + 1) * size_of::<i64>();
        let mut bytes = BytesMut::with_capacity(capacity);
        let cells = self.inputs.iter().map(|(role, datatype)| {
            match role {
                Role::Lengths => append(&mut bytes, *datatype, &[steps as i64]),
                Role::AttentionMask => append(&mut bytes, *datatype, &vec![1; steps]),
                Role::TokenTypeIds if token_type_ids.is_empty() => {
                    append(&mut bytes, *datatype, &vec![0; steps]);
                }
                Role::TokenTypeIds => append(&mut bytes, *datatype, &token_type_ids),
                _ => append(&mut bytes, *datatype, &tokens),
            }
            bytes.split().freeze()
        });
        Ok(Reading {
            row: Row::sequence(cells, steps),
            truncated,
            total,
            words,
            known,
        })
    }
}

/// The role and type of each input.
///
/// # Errors
/// Why they cannot be made of a text.
fn inputs(manifest: &Manifest) -> Result<Vec<(Role, DataType)>, String> {
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
            reads_pairs: false,
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
        let row = reader.read("good film", None).unwrap().row;
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
            } = reader().read(text, None).unwrap();
            let bytes: Vec<u8> = tokens.iter().flat_map(|t: &i64| t.to_le_bytes()).collect();
            assert_eq!(row[0], bytes, "{text}");
            assert_eq!(row[1], (tokens.len() as i32).to_le_bytes()[..]);
            assert_eq!((row.steps(), cut, found), (tokens.len(), truncated, known));
        }
    }
}
