//! HTML out of a text.

/// Elements that part words, by HTML's rules for their display.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "img",
    "input",
    "legend",
    "li",
    "link",
    "main",
    "menu",
    "meta",
    "nav",
    "noscript",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "section",
    "select",
    "source",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "video",
];

/// Elements inside a line or a word.
const INLINES: &[&str] = &[
    "a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// Elements whose content is no text, and what closes them.
const HIDDEN: [(&str, &str); 2] = [("script", "</script"), ("style", "</style")];

/// What stands around text that is no markup, as in feeds.
const CDATA: [&str; 2] = ["<![CDATA[", "]]>"];

/// Bytes of a tag at most, so that time grows with the length of a text alone.
const MAX_TAG: usize = 4096;

/// What stands where markup was.
struct Markup {
    bytes: usize,
    replacement: &'static str,
}

/// `text` without tags and comments. Tags of blocks leave a blank. A `<` that begins no tag of HTML
/// stays, such as in `<3` and `a<b`.
pub(super) fn remove(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut ends = Ends::default();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tail) = rest.split_at(at);
        plain.push_str(before);
        let found = comment(tail, &mut ends).or_else(|| tag(tail, &mut ends));
        let markup = found.unwrap_or(Markup {
            bytes: 1,
            replacement: "<",
        });
        plain.push_str(markup.replacement);
        rest = &tail[markup.bytes..];
    }
    plain.push_str(rest);
    if text.contains(CDATA[0]) {
        plain = plain.replace(CDATA[1], " ");
    }
    plain
}

/// Finds where hidden parts end. An end that the rest of a text lacks is looked for once.
#[derive(Default)]
struct Ends {
    missing: Vec<&'static str>,
}

impl Ends {
    /// Bytes of `text` up to and with the first `end`, in ASCII letters of any case.
    fn find(&mut self, text: &str, end: &'static str) -> Option<usize> {
        if self.missing.contains(&end) {
            return None;
        }
        let is_end = |window: &[u8]| window.eq_ignore_ascii_case(end.as_bytes());
        let found = text.as_bytes().windows(end.len()).position(is_end);
        if found.is_none() {
            self.missing.push(end);
        }
        found.map(|at| at + end.len())
    }
}

/// A comment, a document type or an instruction that `text` begins with.
fn comment(text: &str, ends: &mut Ends) -> Option<Markup> {
    if text.starts_with(CDATA[0]) {
        // Its text stays. [`remove`] takes its end out.
        return Some(Markup {
            bytes: CDATA[0].len(),
            replacement: " ",
        });
    }
    let end = match text.as_bytes() {
        [b'<', b'!', b'-', b'-', ..] => "-->",
        [b'<', b'!', b'[' | b'a'..=b'z' | b'A'..=b'Z', ..] => ">",
        [b'<', b'?', b'a'..=b'z' | b'A'..=b'Z', ..] => "?>",
        _ => return None,
    };
    let bytes = ends.find(text, end)?;
    Some(Markup {
        bytes,
        replacement: " ",
    })
}

/// A tag that `text` begins with; of an element whose content is hidden, all of it.
fn tag(text: &str, ends: &mut Ends) -> Option<Markup> {
    let closes = text[1..].starts_with('/');
    let start = 1 + usize::from(closes);
    let length = text[start..].find(|it: char| !it.is_ascii_alphanumeric())?;
    let (name, after) = text[start..].split_at(length);
    let attributes = attributes(after)?;
    let bytes = start + length + attributes.len() + 1;
    let is_one_of = |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(name));
    let hidden = HIDDEN.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    if let Some((_, end)) = hidden {
        let content = (!closes).then(|| ends.find(&text[bytes..], end)).flatten();
        // The closing tag itself is the next tag.
        let content = content.map_or(0, |bytes| bytes - end.len());
        return Some(Markup {
            bytes: bytes + content,
            replacement: " ",
        });
    }
    let is_assigned = attributes.contains('=') && length > 0;
    // `a <b and c> d` compares.
    if length == 1 && !is_assigned && !attributes.trim_matches(is_gap).is_empty() {
        return None;
    }
    let is_inline = is_one_of(INLINES);
    (is_inline || is_assigned || is_one_of(BLOCKS)).then_some(Markup {
        bytes,
        replacement: if is_inline { "" } else { " " },
    })
}

const fn is_gap(character: char) -> bool {
    character == '/' || character.is_ascii_whitespace()
}

/// What stands between an element's name and its `>`. A `>` in quotes is not the end.
fn attributes(text: &str) -> Option<&str> {
    if !text.starts_with(|it| it == '>' || is_gap(it)) {
        return None;
    }
    let mut quote = None;
    let mut is_value = false;
    for (at, byte) in text.bytes().enumerate().take(MAX_TAG) {
        match (quote, byte) {
            (None, b'>') => return Some(&text[..at]),
            (None, b'<') => return None,
            (None, b'"' | b'\'') if is_value => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        is_value = byte == b'=' || (is_value && byte.is_ascii_whitespace());
    }
    None
}
