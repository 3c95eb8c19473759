//! Plain words from what people paste: HTML, entities, Markdown's marks, invisible characters,
//! typographic apostrophes, full-width letters, emoji.
//!
//! Training and serving clean texts with this code, so a network reads `<p>*don´t*</p>` as it
//! learnt `don't`. Plain ASCII prose is left as it is.

mod emphasis;
mod fold;
mod lines;
mod markup;

use std::borrow::Cow;

/// `text` without markup, Markdown's marks and invisible characters, with one spelling of each
/// apostrophe and letter, and with the names of emoji in their place.
///
/// Takes time and memory that grow with the length of the text.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) {
        return lines::remove(text);
    }
    // Twice, for what two programs in a row escaped: `&amp;#39;`.
    let text = decoded(decoded(Cow::Borrowed(text)));
    // Folding makes apostrophes of backticks and blanks around emoji, so pairs are found before.
    let text = emphasis::remove(&text);
    // Folding may bring markup to light (`＜br＞`), so it comes first.
    let text = markup::remove(&fold::fold(&text));
    Cow::Owned(lines::remove(&text).into_owned())
}

/// Whether no step but that of the lines has anything to do with this byte.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'}' | b'\t'..=b'\r') && !matches!(byte, b'<' | b'&' | b'`' | b'*' | b'_')
}

fn decoded(text: Cow<'_, str>) -> Cow<'_, str> {
    let closed = closed(&text);
    match html_escape::decode_html_entities(closed.as_deref().unwrap_or(&text)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(decoded) => Cow::Owned(decoded),
    }
}

/// The text with the semicolon of each number that stands for a character: `&#39` is `&#39;`, as in
/// a browser. `None`: none is missing.
fn closed(text: &str) -> Option<String> {
    let mut closed = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices("&#") {
        let number = &text[at + 2..];
        let (digits, is_digit): (_, fn(&u8) -> bool) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, u8::is_ascii_hexdigit),
            None => (number, u8::is_ascii_digit),
        };
        let length = digits.bytes().take_while(is_digit).count();
        if length > 0 && !digits[length..].starts_with(';') {
            let end = text.len() - digits.len() + length;
            closed.push_str(&text[from..end]);
            closed.push(';');
            from = end;
        }
    }
    (from > 0).then(|| closed + &text[from..])
}

#[cfg(test)]
mod tests;
