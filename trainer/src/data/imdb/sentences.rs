//! Sentences of reviews.

use quintet_bundle::text::clean;

use crate::random::SplitMix64;

/// Words of a sentence that is drawn: fewer say nothing, and more are no plain sentence.
const WORDS: std::ops::RangeInclusive<usize> = 3..=30;

/// Sentences of the reviews, at most `count`, drawn by chance.
pub(super) fn draw<T: AsRef<str>>(reviews: &[T], count: usize, seed: u64) -> Vec<String> {
    let mut sentences = Vec::new();
    for review in reviews {
        let text = clean(review.as_ref());
        let whole = split(&text).filter(|it| WORDS.contains(&it.split_whitespace().count()));
        sentences.extend(whole.map(str::to_owned));
    }
    let order = SplitMix64::new(seed).permutation(sentences.len());
    let drawn = order.into_iter().take(count);
    drawn
        .map(|index| std::mem::take(&mut sentences[index as usize]))
        .collect()
}

/// The parts of a text that end with its end, or with a mark before a blank.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut last = ' ';
    let parts = text.split_inclusive(move |next: char| {
        let is_end = next.is_whitespace() && matches!(last, '.' | '!' | '?');
        last = next;
        is_end
    });
    parts.map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = "I came late. It was 3.5 hours of fun!<br /><br />Why? Nobody knows \
        what the third act is about";

    #[test]
    fn sentences_end_with_a_mark_before_a_blank() {
        let sentences: Vec<&str> = split("No. 3.5 of 4! Why? Nobody knows").collect();
        assert_eq!(sentences, ["No.", "3.5 of 4!", "Why?", "Nobody knows"]);
        assert_eq!(split("").count(), 0);
    }

    #[test]
    fn what_is_drawn_depends_on_the_seed_and_has_some_words() {
        let mut all = draw(&[REVIEW], 10, 1);
        all.sort();
        let expected = [
            "I came late.",
            "It was 3.5 hours of fun!",
            "Nobody knows what the third act is about",
        ];
        assert_eq!(all, expected);
        let reviews: Vec<String> = (0..50).map(|it| format!("This is film {it}.")).collect();
        let drawn = |seed| draw(&reviews, 20, seed);
        assert_eq!(drawn(1).len(), 20);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
