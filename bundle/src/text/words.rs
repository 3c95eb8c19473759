//! The words of a vocabulary, found by their bytes.
//!
//! Nearly all are short: 16 bytes fit into a number, which costs one comparison and no visit to
//! another place in memory.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Bytes of a short word.
const SHORT: usize = 16;

/// Words and their numbers.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// By [`short`].
    short: HashMap<u128, u32, RandomState>,
    long: HashMap<Box<[u8]>, u32, RandomState>,
    /// Bytes of the longest.
    longest: usize,
}

impl Words {
    pub(super) fn new(vocabulary: &HashMap<String, u32>) -> Self {
        let mut words = Self {
            short: HashMap::default(),
            long: HashMap::default(),
            longest: vocabulary.keys().map(String::len).max().unwrap_or(0),
        };
        for (word, &number) in vocabulary {
            match short(word.as_bytes()) {
                Some(word) => words.short.insert(u128::from_le_bytes(word), number),
                None => words.long.insert(word.as_bytes().into(), number),
            };
        }
        words
    }

    /// The number of a word, whose ASCII letters may be capitals.
    pub(super) fn number(&self, word: &[u8]) -> Option<u32> {
        if let Some(mut word) = short(word) {
            word.make_ascii_lowercase();
            return self.short.get(&u128::from_le_bytes(word)).copied();
        }
        if word.len() > self.longest {
            return None;
        }
        self.long.get(&*word.to_ascii_lowercase()).copied()
    }
}

/// A word of up to 16 bytes, with zeros behind it. `None`: it is longer, or has zeros itself, with
/// which it could not be told from a shorter one.
fn short(word: &[u8]) -> Option<[u8; SHORT]> {
    let mut bytes = [0; SHORT];
    bytes.get_mut(..word.len())?.copy_from_slice(word);
    (!word.contains(&0)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_length_are_found_in_small_letters() {
        let words = [
            "a",
            "don't",
            "sixteen-letters!",
            "seventeen-letters",
            "a\0",
            "Capital",
        ];
        let vocabulary = words.map(str::to_owned).into_iter().zip(1..).collect();
        let words = Words::new(&vocabulary);
        for (word, number) in [
            ("a", Some(1)),
            ("A", Some(1)),
            ("Don'T", Some(2)),
            ("Sixteen-Letters!", Some(3)),
            ("SEVENTEEN-letters", Some(4)),
            ("seventeen-letter", None),
            ("seventeen-letterss", None),
            ("a\0", Some(5)),
            ("a\0\0", None),
            ("", None),
            // The text's letters become small, and the vocabulary's stay.
            ("Capital", None),
            ("capital", None),
        ] {
            assert_eq!(words.number(word.as_bytes()), number, "{word:?}");
        }
    }
}
