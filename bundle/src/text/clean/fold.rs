//! One spelling of each character.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Where the blocks of symbols begin. `©`, `™` and digits are emoji too, but no feelings.
const FIRST_SYMBOL: char = '\u{2190}';

/// Arabic phrases in one character, which NFKC would make 18 and 8 of. A text of these alone would
/// take seconds.
const PHRASES: [char; 2] = ['\u{fdfa}', '\u{fdfb}'];

/// Folds apostrophes, compatible characters (Unicode's NFKC: full-width letters, ligatures) and
/// emoji, and drops invisible characters.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(foreign) = rest.bytes().position(|byte| !byte.is_ascii()) {
        // A combining mark belongs to the ASCII letter before it.
        let (ascii, tail) = rest.split_at(foreign.saturating_sub(1));
        push_ascii(ascii, &mut folded);
        let ascii = |byte: u8| byte.is_ascii();
        let end = tail
            .bytes()
            .skip(1)
            .position(ascii)
            .map_or(tail.len(), |at| at + 1);
        tail[..end]
            .graphemes(true)
            .for_each(|it| push_grapheme(it, &mut folded));
        rest = &tail[end..];
    }
    push_ascii(rest, &mut folded);
    folded
}

/// A backtick is an apostrophe. Control characters are dropped, but for white space.
fn push_ascii(text: &str, folded: &mut String) {
    let is_dropped = |it: u8| it.is_ascii_control() && !matches!(it, b'\t'..=b'\r');
    // Most texts have nothing to fold here.
    if !text.bytes().any(|it| it == b'`' || is_dropped(it)) {
        folded.push_str(text);
        return;
    }
    let kept = text.bytes().filter(|it| !is_dropped(*it));
    folded.extend(kept.map(|it| if it == b'`' { '\'' } else { char::from(it) }));
}

fn push_grapheme(grapheme: &str, folded: &mut String) {
    let Some(first) = grapheme.chars().next() else {
        return;
    };
    if grapheme.is_ascii() {
        push_ascii(grapheme, folded);
    } else if let Some(name) = emoji_name(first, grapheme) {
        // A skin tone or a country follows a colon.
        let name = name.split(':').next().unwrap_or(name);
        folded.push(' ');
        folded.extend(name.chars().map(apostrophe));
        folded.push(' ');
    } else if PHRASES.contains(&first) {
        folded.push_str(grapheme);
    } else {
        let visible = grapheme.chars().filter(|it| !is_invisible(*it));
        folded.extend(visible.map(apostrophe).nfkc());
    }
}

/// Emoji whose names do not say what people mean by them, and the word for that. To a network that
/// has read no emoji, a broken heart is a heart.
const MEANINGS: [(&str, &str); 9] = [
    ("angry face", "angry"),
    ("broken heart", "sad"),
    ("enraged face", "angry"),
    ("face with rolling eyes", "annoyed"),
    ("face with symbols on mouth", "angry"),
    ("frowning face", "unhappy"),
    ("hundred points", "perfect"),
    ("slightly frowning face", "unhappy"),
    ("star-struck", "amazing"),
];

/// Unicode's short name of an emoji, such as "face vomiting", or its meaning.
fn emoji_name(first: char, grapheme: &str) -> Option<&'static str> {
    if first < FIRST_SYMBOL {
        return None;
    }
    // A sequence that has no name of its own is what it begins with.
    let emoji = emojis::get(grapheme).or_else(|| emojis::get(first.encode_utf8(&mut [0; 4])))?;
    let meaning = MEANINGS.iter().find(|(name, _)| *name == emoji.name());
    Some(meaning.map_or(emoji.name(), |(_, meaning)| meaning))
}

/// What is drawn or typed for an apostrophe.
const fn apostrophe(character: char) -> char {
    match character {
        '\u{b4}'
        | '\u{2b9}'
        | '\u{2bb}'
        | '\u{2bc}'
        | '\u{2bd}'
        | '\u{2c8}'
        | '\u{2ca}'
        | '\u{2cb}'
        | '\u{55a}'
        | '\u{5f3}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{a78c}'
        | '\u{ff07}'
        | '\u{ff40}' => '\'',
        other => other,
    }
}

/// Characters that Unicode calls ignorable, or that format or control a text: soft hyphens,
/// zero-width spaces and joiners, marks of direction, selectors of variants, a byte order mark.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}'
            | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{20e3}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}
