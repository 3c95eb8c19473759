//! Marks of Markdown at the start of a line: headings, quotes, items of a list.

use std::borrow::Cow;

/// What an item of a list begins with.
const BULLETS: [char; 3] = ['-', '*', '+'];

/// Marks of the deepest heading.
const MAX_DEPTH: usize = 6;

/// `text` without marks at the start of a line that a blank follows. `#1`, `-5` and `* * *` stay.
pub(super) fn remove(text: &str) -> Cow<'_, str> {
    let is_marked = |line: &str| unmarked(line).len() < line.len();
    if text.split('\n').any(is_marked) {
        Cow::Owned(text.split_inclusive('\n').map(unmarked).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The line from behind its marks. A quote may hold a heading or an item.
fn unmarked(line: &str) -> &str {
    let mut rest = line;
    while let Some(quoted) = after(rest, '>', usize::MAX) {
        rest = quoted;
    }
    if let Some(heading) = after(rest, '#', MAX_DEPTH) {
        return heading;
    }
    let mut items = BULLETS.iter().filter_map(|bullet| {
        let item = after(rest, *bullet, 1)?;
        // More of them are a rule, or stars.
        (!item.starts_with(*bullet) && !item.is_empty()).then_some(item)
    });
    items.next().unwrap_or(rest)
}

/// What follows one to `most` of a mark and white space, perhaps indented.
fn after(line: &str, mark: char, most: usize) -> Option<&str> {
    let blanks = [' ', '\t'];
    let marked = line.trim_start_matches(blanks);
    let rest = marked.trim_start_matches(mark);
    let text = rest.trim_start_matches(blanks);
    let is_marked = (1..=most).contains(&(marked.len() - rest.len()));
    (is_marked && text.len() < rest.len()).then_some(text)
}
