//! Names and values that came with a request, as errors and the log repeat them.

use std::borrow::Cow;

/// Characters of a name or a value that are repeated.
const NAME: usize = 64;

/// A name or a value of a caller: its first 64 characters and how many bytes it has, if it is
/// longer.
pub fn clip(text: &str) -> Cow<'_, str> {
    clip_to(NAME, text)
}

/// The first `limit` characters of a text and how many bytes it has, if it is longer.
pub(crate) fn clip_to(limit: usize, text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => text.into(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()).into(),
    }
}

/// The beginning of a text that takes `limit` bytes in the header `grpc-message`, which writes most
/// bytes that are no letters as three, and how many bytes it has, if it is longer.
pub(crate) fn clip_encoded(limit: usize, text: &str) -> Cow<'_, str> {
    let mut taken = 0;
    let mut is_over = |(_, character): &(usize, char)| {
        let is_plain = character.is_ascii_alphanumeric() || "-_.,:;()[]/'".contains(*character);
        taken += if is_plain {
            1
        } else {
            3 * character.len_utf8()
        };
        taken > limit
    };
    match text.char_indices().find(&mut is_over) {
        None => text.into(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_told_by_its_beginning_and_its_length() {
        for short in ["", "cnn", &"é".repeat(64)] {
            assert_eq!(clip(short), short);
        }
        let long = clip(&"é".repeat(65)).into_owned();
        assert_eq!(long, format!("{}… (130 bytes)", "é".repeat(64)));
    }
}
