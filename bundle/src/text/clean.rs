//! Plain words from what people paste: HTML, entities, invisible characters, typographic
//! apostrophes, full-width letters, emoji.
//!
//! Training and serving clean texts with this code, so a network reads `<p>don´t</p>` as it learnt
//! `don't`. Plain ASCII prose is left as it is.

mod fold;
mod markup;

use std::borrow::Cow;

/// `text` without markup and invisible characters, with one spelling of each apostrophe and letter,
/// and with the names of emoji in their place.
///
/// Takes time and memory that grow with the length of the text.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    // Twice, for what two programs in a row escaped: `&amp;#39;`.
    let text = decoded(decoded(Cow::Borrowed(text)));
    // Folding may bring markup to light (`＜br＞`), so it comes first.
    Cow::Owned(markup::remove(&fold::fold(&text)))
}

/// Whether no step has anything to do with this byte.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t'..=b'\r') && !matches!(byte, b'<' | b'&' | b'`')
}

fn decoded(text: Cow<'_, str>) -> Cow<'_, str> {
    match html_escape::decode_html_entities(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(decoded) => Cow::Owned(decoded),
    }
}

#[cfg(test)]
mod tests;
