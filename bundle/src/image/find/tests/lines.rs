//! Lines that are not the digit's.

use super::*;

#[test]
fn lines_are_cleared_and_strokes_stay_whole() {
    assert_unchanged(
        "rules",
        |_, y, level| if y % 24 < 2 { level.min(90.0) } else { level },
    );
    assert_unchanged("box of a thin pen", |x, y, level| {
        let sides = [(x, 120), (y, 115)].map(|(at, middle): (u32, u32)| at.abs_diff(middle));
        let is_side = (96..98).contains(&sides[0].max(sides[1]));
        if is_side { level.min(120.0) } else { level }
    });
    assert_unchanged("two sides of a box", |x, y, level| {
        let is_side = x == 20 && y > 20 || y == 20 && x > 20;
        if is_side && x.max(y) < 220 {
            level.min(60.0)
        } else {
            level
        }
    });
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
