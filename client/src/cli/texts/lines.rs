//! Lines of a stream of bytes, each bounded, so that no input takes more memory than it may.

use std::io::{BufRead, Read as _};

use super::batches::Text;
use crate::failure::Failure;

/// The longest line taken, its end not counted: far more than any model reads.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads lines that end in `\n` or `\r\n`, the last one perhaps in neither.
pub(super) fn lines(mut reader: impl BufRead) -> impl Iterator<Item = Result<Text, Failure>> {
    (1..).map_while(move |number| read_line(&mut reader, number).transpose())
}

/// `None` at the end of the input.
fn read_line(reader: &mut impl BufRead, number: usize) -> Result<Option<Text>, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_LINE_BYTES + "\r\n".len();
    let read = reader.take(most as u64).read_until(b'\n', &mut bytes);
    if read.map_err(|error| Failure::new(format!("cannot read stdin: {error}")))? == 0 {
        return Ok(None);
    }
    if bytes.pop_if(|last| *last == b'\n').is_some() {
        bytes.pop_if(|last| *last == b'\r');
    }
    if bytes.len() > MAX_LINE_BYTES {
        let message = format!("line {number} is longer than {MAX_LINE_BYTES} bytes");
        return Err(Failure::new(message));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("line {number} is not UTF-8")))?;
    let line = Some(number);
    Ok(Some(Text { line, text }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines' texts, and the error that ended them.
    fn read(bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let mut texts = Vec::new();
        for (index, line) in lines(bytes).enumerate() {
            match line {
                Ok(line) => {
                    assert_eq!(line.line, Some(index + 1));
                    texts.push(line.text);
                }
                Err(error) => return (texts, Some(format!("{error:?}"))),
            }
        }
        (texts, None)
    }

    #[test]
    fn lines_end_as_they_do_on_every_system() {
        for (bytes, lines) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\r\n\r\nb\rc\n", &["a", "", "b\rc"]),
            ("\n\n é \u{1F600}", &["", "", " é \u{1F600}"]),
        ] {
            let lines: Vec<String> = lines.iter().map(|&it| it.to_owned()).collect();
            assert_eq!(read(bytes.as_bytes()), (lines, None), "{bytes:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let (texts, error) = read(b"good\n\xff\xfe\nnever read");
        assert_eq!(texts, ["good"]);
        assert!(error.is_some_and(|it| it.contains("line 2 is not UTF-8")));
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        for end in ["", "\n", "\r\n"] {
            let line = "a".repeat(MAX_LINE_BYTES) + end;
            assert_eq!(read(line.as_bytes()).0[0].len(), MAX_LINE_BYTES);
            let line = "a".repeat(MAX_LINE_BYTES + 1) + end;
            let error = read(format!("\n{line}").as_bytes()).1;
            assert!(error.is_some_and(|it| it.contains("line 2 is longer than 1048576 bytes")));
        }
    }

    proptest! {
        #[test]
        fn what_was_joined_is_parted_again(lines in proptest::collection::vec("[^\r\n]{0,20}", 0..20)) {
            let joined = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
            prop_assert_eq!(read(joined.as_bytes()), (lines, None));
        }
    }
}
