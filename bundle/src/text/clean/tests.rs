//! What people paste, and what it becomes.

mod markdown;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn words(text: &str) -> String {
    let cleaned = clean(text);
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn tags_go_and_their_text_stays() {
    for (text, expected) in [
        ("<p>I love this movie!</p>", "I love this movie!"),
        (
            "one.<br /><br />Two<BR>three<br/ >four",
            "one. Two three four",
        ),
        ("<div class=\"a>b\" id=x><p>good</p></div>", "good"),
        (
            "un<b>believ</b>able <i>The Thing</i>",
            "unbelievable The Thing",
        ),
        (
            "a<!-- bad > bad -->b <!DOCTYPE html>c<?xml version='1.0'?>d",
            "a b c d",
        ),
        (
            "x<script>if (a<b) bad()</script>y<STYLE>p{}</style >z",
            "x y z",
        ),
        ("<my-widget data-x='1'>kept", "<my-widget data-x='1'>kept"),
        ("<custom data-x='1'>kept</custom>", "kept</custom>"),
        ("see <a href='http://a.b/?c=d'>here</a>", "see here"),
        ("<img src=a.png alt=\"x\"/>after", "after"),
        ("<input disabled>after", "after"),
        ("<![CDATA[<p>I love it]]>, a]b", "I love it , a]b"),
        ("<![CDATA[open", "open"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_tag_stays() {
    for text in [
        "I <3 it",
        "a<b",
        "a <b and c> d",
        "1 < 2 > 0",
        "<",
        "<>",
        "</>",
        "< br >",
        "<grin>",
        "<b",
        "<a href=\"open",
        "<!-- open",
        "x <- y -> z",
        "<<<>>>",
        "<script",
    ] {
        assert_eq!(clean(text), text);
    }
}

#[test]
fn entities_are_decoded() {
    for (text, expected) in [
        (
            "don&#39;t, don&#x27;t, don&apos;t, don&rsquo;t",
            "don't, don't, don't, don't",
        ),
        ("don&amp;#39;t", "don't"),
        ("don&#39t, don&#x27t, don&amp;#39t", "don't, don't, don't"),
        ("&# 1, &#, &#x, &#;, &#39", "&# 1, &#, &#x, &#;, '"),
        ("&lt;br /&gt;caf&eacute;&nbsp;&quot;x&quot;", "café \"x\""),
        ("&lt;3", "<3"),
        (
            "R&D, AT&T, Q & A, these&those; &bogus;",
            "R&D, AT&T, Q & A, these&those; &bogus;",
        ),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn invisible_characters_are_dropped() {
    let all = "\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{ad}\u{2060}\u{feff}\u{202a}\u{202e}\
               \u{2066}\u{2069}\u{61c}\u{180e}\u{fe0f}\u{e0041}\u{7f}\u{0}\u{9b}";
    for invisible in all.chars() {
        let text = format!("m{invisible}ovie");
        assert_eq!(clean(&text), "movie", "{invisible:?}");
    }
    assert_eq!(words("a\u{85}b\u{a0}c\u{3000}d\u{2028}e"), "a b c d e");
}

#[test]
fn one_spelling_of_apostrophes_and_letters() {
    for apostrophe in "'´`ʼ‘’‛′＇ʹ".chars() {
        assert_eq!(
            clean(&format!("don{apostrophe}t")),
            "don't",
            "{apostrophe:?}"
        );
    }
    assert_eq!(clean("Ｇｏｏｄ　ｆｉｌｍ！"), "Good film!");
    assert_eq!(clean("ﬁlm 𝐠𝐨𝐨𝐝 ‼"), "film good !!");
    assert_eq!(clean("cafe\u{301}"), "café");
    assert_eq!(clean("＜br＞ok"), " ok");
    // A phrase stays one character.
    assert_eq!(clean("\u{fdfa}"), "\u{fdfa}");
}

#[test]
fn emoji_become_their_names() {
    for (text, expected) in [
        ("I watched it 🤮", "I watched it face vomiting"),
        ("👍🏽👎", "thumbs up thumbs down"),
        ("❤️ ❤", "red heart red heart"),
        ("Sure 🙄💔", "Sure annoyed sad"),
        ("☹️ 😡", "unhappy angry"),
        ("👩‍👩‍👧‍👦", "family"),
        ("🚹", "men's room"),
        ("🇩🇪", "flag"),
        ("1 © ™ → 7️⃣", "1 © TM → 7"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn two_hundred_kilobytes_of_anything() {
    for unit in [
        "<",
        "<a ",
        "<!--",
        "<script>",
        "<p x=\"",
        "&amp;",
        "&",
        "\u{301}",
        "👩\u{200d}",
        "*a ",
        "a* ",
        "*a* ",
        "*a _b ",
        "`",
        "> ",
        "- a\n",
    ] {
        let text = unit.repeat(200_000 / unit.len());
        assert!(clean(&text).len() <= 40 * text.len(), "{unit}");
    }
}

proptest! {
    #[test]
    fn plain_ascii_prose_is_left_as_it_is(text in r"([A-Za-z0-9 .,;:!?'()/\n]|[a-z)]-|<[ 0-9=-]|& ){0,60}") {
        prop_assert_eq!(clean(&text), text.as_str());
    }

    #[test]
    fn letters_of_every_alphabet_stay(text in r"[a-zäöüßéèñçøåа-яα-ω]{1,20}") {
        prop_assert_eq!(clean(&text), text.as_str());
    }

    #[test]
    fn cleaned_text_is_clean(text in r"\PC{0,30}") {
        let once = clean(&text).into_owned();
        let left = once.contains(['\u{200b}', '\u{ad}', '´', '’']);
        prop_assert!(!left, "{once:?}");
    }
}
