//! Lines that are not the digit's.

use super::*;

#[test]
fn lines_are_cleared_and_strokes_stay_whole() {
    assert_unchanged(
        "rules",
        |_, y, level| if y % 24 < 2 { level.min(90.0) } else { level },
    );
    assert_unchanged("rules askew", |x, y, level| {
        let row = y + x / 20;
        if row % 24 < 2 { level.min(90.0) } else { level }
    });
    assert_unchanged("rules down", |x, _, level| {
        if x % 30 < 2 { level.min(90.0) } else { level }
    });
    assert_unchanged("underline", |_, y, level| {
        if (190..195).contains(&y) { 10.0 } else { level }
    });
}

/// Two pixels of a large page are half of one in the picture that is worked on, and less where a card
/// is looked for.
#[test]
fn a_thin_box_on_a_large_page_is_dropped() {
    let page = photo((600, 600), &TWO, (270.0, 250.0), 100.0, 12.0);
    let expected = auto(&page);
    for (left, top) in [(200, 200), (202, 200), (203, 203)] {
        let boxed = changed(&page, |x, y, level| {
            let [x, y] = [(x, left), (y, top)].map(|(at, start)| at.checked_sub(start));
            let is_side = |at: u32| !(2..199).contains(&at);
            match (x, y) {
                (Some(x @ ..=200), Some(y @ ..=200)) if is_side(x) || is_side(y) => 0.0,
                _ => level,
            }
        });
        assert_like(&auto(&boxed), &expected, &format!("at {left}, {top}"));
    }
}
