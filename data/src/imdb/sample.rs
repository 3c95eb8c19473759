//! Texts for load tests: real reviews, whole and cut to their first sentences.

use std::path::Path;

use super::load;
use crate::DataError;

/// At most `count` different test reviews, always the same in the same order, both labels mixed.
/// Where `is_whole` is false for an index, the review is cut to its first sentence.
pub fn sample(
    data_dir: &Path,
    count: usize,
    is_whole: impl Fn(usize) -> bool,
) -> Result<Vec<String>, DataError> {
    let mut reviews = load(data_dir, |_, _| ())?.test.texts;
    // They come sorted by label.
    fastrand::Rng::with_seed(0).shuffle(&mut reviews);
    reviews.truncate(count);
    let texts = reviews.into_iter().enumerate().map(|(place, review)| {
        if is_whole(place) {
            review
        } else {
            first_sentence(&review).to_owned()
        }
    });
    Ok(texts.collect())
}

/// At most `count` texts of exactly `words` words each: test reviews, one after the other, cut.
pub fn of_words(data_dir: &Path, count: usize, words: usize) -> Result<Vec<String>, DataError> {
    let reviews = sample(data_dir, usize::MAX, |_| true)?;
    Ok(cut(&reviews, count, words))
}

fn cut(reviews: &[String], count: usize, words: usize) -> Vec<String> {
    let mut all = reviews.iter().flat_map(|review| review.split_whitespace());
    let texts = std::iter::from_fn(|| {
        let text: Vec<&str> = all.by_ref().take(words).collect();
        (text.len() == words).then(|| text.join(" "))
    });
    texts.take(count).collect()
}

/// Up to the first full stop, exclamation or question mark that ends a word, or the first line
/// break.
pub fn first_sentence(review: &str) -> &str {
    let line = review.split("<br").next().unwrap_or(review);
    let line = if line.trim().is_empty() { review } else { line };
    let end = line.match_indices(['.', '!', '?']).find_map(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
        ends.then_some(at + mark.len())
    });
    line[..end.unwrap_or(line.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_words_have_as_many_and_skip_none() {
        let reviews = ["one two  three", "four\nfive", "six seven"].map(String::from);
        assert_eq!(cut(&reviews, 9, 2), ["one two", "three four", "five six"]);
        assert_eq!(cut(&reviews, 1, 2), ["one two"]);
    }

    #[test]
    fn a_first_sentence_ends_where_it_should() {
        for (review, sentence) in [
            ("I love it! Really.", "I love it!"),
            (" It has 3.5 stars. Or 4?", "It has 3.5 stars."),
            ("No end", "No end"),
            ("A line<br /><br />Another.", "A line"),
            ("<br />Late.", "<br />Late."),
            ("", ""),
        ] {
            assert_eq!(first_sentence(review), sentence, "{review:?}");
        }
    }
}
