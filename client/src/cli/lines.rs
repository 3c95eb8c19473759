//! Lines of a stream of bytes, each bounded, so that no input takes more memory than it may.

use std::io::{self, BufRead, Read as _};

/// The longest line taken, its end not counted: far more than any model reads.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// A line and its number, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    #[error("line {0} is longer than {MAX_LINE_BYTES} bytes")]
    TooLong(usize),
    #[error("cannot read stdin: {0}")]
    Io(#[from] io::Error),
}

/// Reads lines that end in `\n` or `\r\n`, the last one perhaps in neither. Ends with the first error.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: Option<R>,
    read: usize,
}

// === impl Lines ===

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: Some(reader),
            read: 0,
        }
    }

    /// `None` at the end of the input.
    fn read(&mut self) -> Result<Option<Line>, LineError> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let most = MAX_LINE_BYTES + "\r\n".len();
        if reader.take(most as u64).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.read += 1;
        let number = self.read;
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            bytes.pop_if(|last| *last == b'\r');
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong(number));
        }
        let text = String::from_utf8(bytes).map_err(|_| LineError::NotUtf8(number))?;
        Ok(Some(Line { number, text }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.read().transpose();
        if !matches!(line, Some(Ok(_))) {
            self.reader = None;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines' texts, and the error that ended them.
    fn read(bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let mut texts = Vec::new();
        for (index, line) in Lines::new(bytes).enumerate() {
            match line {
                Ok(line) => {
                    assert_eq!(line.number, index + 1);
                    texts.push(line.text);
                }
                Err(error) => return (texts, Some(error.to_string())),
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
    fn a_bad_line_is_named_and_ends_it() {
        let (texts, error) = read(b"good\n\xff\xfe\nnever read");
        assert_eq!(texts, ["good"]);
        assert_eq!(error.as_deref(), Some("line 2 is not UTF-8"));
        let mut lines = Lines::new(&b"\xff\nmore"[..]);
        assert!(lines.next().is_some_and(|it| it.is_err()));
        assert!(lines.next().is_none());
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        for end in ["", "\n", "\r\n"] {
            let line = "a".repeat(MAX_LINE_BYTES) + end;
            assert_eq!(read(line.as_bytes()).0[0].len(), MAX_LINE_BYTES);
            let line = "a".repeat(MAX_LINE_BYTES + 1) + end;
            let error = read(format!("\n{line}").as_bytes()).1;
            assert_eq!(
                error.as_deref(),
                Some("line 2 is longer than 1048576 bytes")
            );
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
