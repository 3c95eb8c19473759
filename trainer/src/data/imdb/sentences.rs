//! Sentences of reviews.

use std::collections::BTreeSet;

use quintet_bundle::text::clean;

use crate::random::SplitMix64;

/// Words of a sentence that is drawn: fewer say nothing, and more are no plain sentence.
const WORDS: std::ops::RangeInclusive<usize> = 3..=30;

/// Words that turn what follows around, beside those that end with "n't".
const NEGATIONS: [&str; 8] = [
    "not", "never", "no", "nothing", "without", "hardly", "neither", "nobody",
];

/// Words after the negation of a phrase.
const NEGATED: std::ops::RangeInclusive<usize> = 1..=4;

/// Sentences of the reviews, at most `count`, drawn by chance.
pub(super) fn draw<T: AsRef<str>>(reviews: &[T], count: usize, seed: u64) -> Vec<String> {
    let mut sentences = Vec::new();
    for review in reviews {
        let text = clean(review.as_ref());
        let whole = split(&text).filter(|it| WORDS.contains(&it.split_whitespace().count()));
        sentences.extend(whole.map(str::to_owned));
    }
    choose(sentences, count, seed)
}

/// Phrases of a negation and the next words, each once, at most `count`, drawn by chance.
pub(super) fn negations<T: AsRef<str>>(reviews: &[T], count: usize, seed: u64) -> Vec<String> {
    let mut phrases = BTreeSet::new();
    let mut lengths = NEGATED.cycle();
    for review in reviews {
        let text = clean(review.as_ref());
        for sentence in split(&text) {
            let words: Vec<&str> = sentence.split_whitespace().collect();
            let starts = (0..words.len()).filter(|start| is_negation(words[*start]));
            // Phrases of each length in turn.
            for (start, more) in starts.zip(lengths.by_ref()) {
                if let Some(phrase) = words.get(start..=start + more) {
                    phrases.insert(phrase.join(" ").to_lowercase());
                }
            }
        }
    }
    choose(phrases.into_iter().collect(), count, seed)
}

fn is_negation(word: &str) -> bool {
    let word = word.to_lowercase();
    NEGATIONS.contains(&word.as_str()) || word.ends_with("n't")
}

fn choose(mut all: Vec<String>, count: usize, seed: u64) -> Vec<String> {
    let order = SplitMix64::new(seed).permutation(all.len());
    let drawn = order.into_iter().take(count);
    drawn
        .map(|index| std::mem::take(&mut all[index as usize]))
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

    #[test]
    fn a_phrase_is_a_negation_and_one_to_four_words() {
        let review = "Not bad. I don't like it much, and never will. No.";
        let mut all = negations(&[review], 10, 1);
        all.sort();
        assert_eq!(all, ["don't like it", "not bad."]);
        assert_eq!(negations(&[review], 1, 1).len(), 1);
        assert_eq!(negations(&["Not bad."; 8], 10, 1), ["not bad."]);
    }
}
