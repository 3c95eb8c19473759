//! Markdown, which readers do not see, and what only looks like it.

use proptest::prelude::*;

use crate::text::clean;

#[test]
fn marks_around_words_go() {
    for (text, expected) in [
        ("*I* *love* **this** ***movie.***", "I love this movie."),
        ("_I_ __love__ ~~this~~ `movie`", "I love this movie"),
        (
            "**I *really* loved _it_**, ***that* much**",
            "I really loved it, that much",
        ),
        ("**Those *two***, __init__", "Those two, init"),
        (
            "\"*Great*\" (_not_) '**bad**'-ish",
            "\"Great\" (not) 'bad'-ish",
        ),
        (
            "**\"Great!\"**, *(really)* **$5**",
            "\"Great!\", (really) $5",
        ),
        (
            "**👍 great** — **“so good”**",
            " thumbs up  great — “so good”",
        ),
        ("<p>**\"<i>good</i>\" film**</p>", " \"good\" film "),
        ("<p>*don´t*</p>&ast;miss&#42; it", " don't miss it"),
        (
            "un*frigging*believable ****SPOILERS****",
            "un*frigging*believable SPOILERS",
        ),
        ("**one\ntwo** *three\n\nfour*", "one\ntwo *three\n\nfour*"),
        ("*a *b *c* d", "*a *b c d"),
    ] {
        assert_eq!(clean(text), expected, "{text}");
    }
}

#[test]
fn marks_at_the_start_of_a_line_go() {
    for (text, expected) in [
        ("# Good\n## Better ##", "Good\nBetter ##"),
        ("> good\n> > better\n>> - best", "good\nbetter\nbest"),
        ("- one\n* *two*\n  + three\r\n", "one\ntwo\nthree\r\n"),
        ("&gt; <b>good</b>", "good"),
    ] {
        assert_eq!(clean(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_mark_stays() {
    for text in [
        "2*3*4 = 24, a * b, a ** b, 2**3",
        "snake_case_name, o_O, T_T, __",
        "f***, s**t, f*cking a**, *spoilers, f***",
        "*****, 4/5 *, ***1/2 out of ****, (****), * * * of * * * *",
        "\"*****\", he said: \"*****\"; '***', he said: '***'",
        "*_* I love it *_*, *-* so *-*, -_- no -_-, ^_^ so ^_^, >_< no >_<, :* so :*",
        "This movie* is good (*) so far\n*not bad",
        "~5 minutes or ~10~ of them",
        "#1 film, C# 5\n-5 degrees\n+1\n>100\n-- so\n####### so\n- - -\n-\n*",
    ] {
        assert_eq!(clean(text), text);
    }
    assert_eq!(
        clean("don`t, can`t, `tis, boys'"),
        "don't, can't, 'tis, boys'"
    );
}

/// A mark of emphasis, perhaps none.
fn mark() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "*", "**", "***", "_", "__", "~~", "`", "**_"])
}

proptest! {
    #[test]
    fn marked_words_are_words(
        words in prop::collection::vec((r"[A-Za-z0-9]{1,5}('s)?[.,;:!?]?", mark()), 1..20),
        around in prop::sample::select(vec!["", "> ", "# ", "> - ", "* "]),
    ) {
        let plain: Vec<_> = words.iter().map(|(word, _)| word.as_str()).collect();
        let close = |mark: &str| mark.chars().rev().collect::<String>();
        let marked = words.iter().map(|(word, mark)| format!("{mark}{word}{}", close(mark)));
        let marked = around.to_owned() + &marked.collect::<Vec<_>>().join(" ");
        prop_assert_eq!(clean(&marked), plain.join(" "));
    }

    #[test]
    fn a_marked_sentence_is_a_sentence(
        text in r"[A-Za-z0-9]([A-Za-z0-9 .,;:!?'()/-]{0,40}[A-Za-z0-9.!?'])?",
        mark in mark(),
    ) {
        let close = mark.chars().rev().collect::<String>();
        let marked = format!("{mark}{text}{close}");
        prop_assert_eq!(clean(&marked), text);
    }

    #[test]
    fn where_nothing_opens_nothing_goes(
        text in r"([a-z0-9]{1,3}([*_]{1,3}[a-z0-9]?)?[,.!]? (\*{1,5} )?){0,20}",
    ) {
        prop_assert_eq!(clean(&text), text.as_str());
    }
}
