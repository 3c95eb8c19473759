//! Marks of Markdown around words: `*stars*`, `__underscores__`, `~~tildes~~`, backticks.

use std::borrow::Cow;

/// Marks that may be open at once. A text with more keeps the first of them, so that time grows
/// with its length alone.
const MAX_OPEN: usize = 16;

/// Equal marks in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    mark: u8,
    start: usize,
    end: usize,
}

impl Run {
    const fn len(self) -> usize {
        self.end - self.start
    }
}

/// `text` without marks that stand in pairs around words, by the idea of
/// [CommonMark](https://spec.commonmark.org/0.31.2/#left-flanking-delimiter-run): nothing parts an
/// opening mark from what follows it, or a closing one from what comes before. Inside a word there
/// are none, unlike there. `2*3*4`, `a * b`, `snake_case`, `f***` and `*****` stay.
pub(super) fn remove(text: &str) -> Cow<'_, str> {
    let mut pairs = pairs(text);
    if pairs.is_empty() {
        return Cow::Borrowed(text);
    }
    pairs.sort_unstable_by_key(|it| it.start);
    let mut plain = String::with_capacity(text.len());
    let mut from = 0;
    for run in pairs {
        plain.push_str(&text[from..run.start]);
        from = run.end;
    }
    Cow::Owned(plain + &text[from..])
}

/// The marks of all pairs.
fn pairs(text: &str) -> Vec<Run> {
    let mut pairs = Vec::new();
    let mut open: Vec<Run> = Vec::new();
    // Words end somewhere before this.
    let mut words = 0;
    let mut from = 0;
    while let Some(length) = text.as_bytes()[from..].iter().position(|it| is_mark(*it)) {
        let start = from + length;
        let between = &text[from..start];
        if between.chars().any(char::is_alphanumeric) {
            words = start;
        }
        if between.contains("\n\n") || between.contains("\n\r\n") {
            open.clear();
        }
        let marks = text[start..].bytes().take_while(|it| is_mark(*it)).count();
        from = start + marks;
        // Marks of several kinds in a row have the same neighbours: `**_word_**`.
        let before = text[..start].chars().next_back();
        let after = text[from..].chars().next();
        for run in runs(text, start, from) {
            if closes(before, after)
                && let Some(pair) = take_opening(&mut open, run)
            {
                // There are no words in a face: `*-*`.
                if pair.iter().all(|it| it.end < words) {
                    pairs.extend(pair);
                    pairs.push(run);
                }
            } else if opens(before, after) {
                push(&mut open, run);
            }
        }
    }
    pairs
}

const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'*' | b'_' | b'~' | b'`')
}

/// The runs of the marks from `start` to `end`. One tilde is no mark.
fn runs(text: &str, start: usize, end: usize) -> impl Iterator<Item = Run> {
    let marks = &text.as_bytes()[start..end];
    let runs = marks
        .chunk_by(|one, next| one == next)
        .scan(start, |at, run| {
            let start = *at;
            *at += run.len();
            let (mark, end) = (run[0], *at);
            Some(Run { mark, start, end })
        });
    runs.filter(|it| it.mark != b'~' || it.len() == 2)
}

/// Notes an opening run. One of three marks may be closed as one and two: `***a* b**`.
fn push(open: &mut Vec<Run>, run: Run) {
    if run.len() == 3 {
        let middle = run.start + 2;
        open.push(Run { end: middle, ..run });
        open.push(Run {
            start: middle,
            ..run
        });
    } else {
        open.push(run);
    }
    let spare = open.len().saturating_sub(MAX_OPEN);
    open.drain(..spare);
}

/// Takes what `run` closes, and what was opened after it, out of the open runs.
fn take_opening(open: &mut Vec<Run>, run: Run) -> Option<Vec<Run>> {
    let length = run.len();
    let lengths = if length == 3 { &[1, 2][..] } else { &[length] };
    let last = |length: &usize| {
        open.iter()
            .rposition(|it| it.mark == run.mark && it.len() == *length)
    };
    let places: Vec<usize> = lengths.iter().map(last).collect::<Option<_>>()?;
    let opening = places.iter().map(|at| open[*at]).collect();
    open.truncate(places.into_iter().min()?);
    Some(opening)
}

/// Whether marks between these characters may stand before words.
fn opens(before: Option<char>, after: Option<char>) -> bool {
    match (before, after) {
        (_, None) => false,
        (_, Some(after)) if after.is_whitespace() || ends(after) => false,
        (None, _) => true,
        (Some(before), Some(after)) if after.is_alphanumeric() => !before.is_alphanumeric(),
        // A face: `>_<`.
        (Some('>'), Some(after)) => after != '<',
        (Some(before), Some(after)) => {
            is_apart(before) || begins(before) || is_quoted(before, after)
        }
    }
}

/// Whether marks between these characters may stand after words.
fn closes(before: Option<char>, after: Option<char>) -> bool {
    match (before, after) {
        (None, _) => false,
        (Some(before), _) if before.is_whitespace() || begins(before) => false,
        (_, None) => true,
        (Some(before), Some(after)) if before.is_alphanumeric() => !after.is_alphanumeric(),
        (Some(before), Some(after)) => {
            is_apart(after) || ends(after) || after == '<' || is_quoted(after, before)
        }
    }
}

const fn begins(character: char) -> bool {
    matches!(character, '(' | '[' | '{')
}

const fn ends(character: char) -> bool {
    matches!(
        character,
        ')' | ']' | '}' | '.' | ',' | ';' | ':' | '!' | '?' | '…'
    )
}

/// Whether `outer` quotes marks and `inner`. In `"*****"` it quotes only marks.
fn is_quoted(outer: char, inner: char) -> bool {
    is_quote(outer) && !is_quote(inner)
}

const fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '“' | '”' | '‘' | '’')
}

/// White space, a dash, an emoji.
fn is_apart(character: char) -> bool {
    let is_other = !character.is_ascii() && !character.is_alphanumeric() && !is_quote(character);
    character.is_whitespace() || is_other
}
