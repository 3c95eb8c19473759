//! Paper on a desk.

use super::*;

/// A picture of a digit in its middle, and the same where only a card of these half sides is paper,
/// at an angle in degrees.
fn on_a_desk(size: (u32, u32), half: [f32; 2], degrees: f32) -> [GrayImage; 2] {
    let middle = (size.0 as f32 / 2.0, size.1 as f32 / 2.0);
    let paper = photo(size, &TWO, (middle.0 - 35.0, middle.1 - 60.0), 120.0, 14.0);
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let card = changed(&paper, |x, y, level| {
        let (dx, dy) = (x as f32 + 0.5 - middle.0, y as f32 + 0.5 - middle.1);
        let (along, down) = (dx * cosine + dy * sine, dy * cosine - dx * sine);
        let inside = (half[0] - along.abs()).min(half[1] - down.abs());
        60.0 + (level - 60.0) * (inside + 0.5).clamp(0.0, 1.0)
    });
    [paper, card]
}

#[test]
fn a_card_may_be_turned() {
    for (size, half) in [
        ((300, 300), [85.0, 90.0]),
        ((480, 360), [85.0, 95.0]),
        ((640, 480), [85.0, 120.0]),
        ((400, 300), [95.0, 85.0]),
    ] {
        for degrees in [
            -20.0, -10.0, -3.0, 0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 15.0, 30.0, 45.0,
        ] {
            let [paper, card] = on_a_desk(size, half, degrees);
            let what = format!("a card in {size:?}, {degrees} degrees");
            assert_like(&auto(&card), &auto(&paper), &what);
        }
    }
}

#[test]
fn light_that_fades_makes_no_card() {
    for place in [
        (180.0, 150.0),
        (300.0, 240.0),
        (260.0, 300.0),
        (120.0, 80.0),
    ] {
        let paper = photo((480, 480), &SEVEN, place, 100.0, 3.0);
        for degrees in (0..360_u16).step_by(20) {
            let (sine, cosine) = f32::from(degrees).to_radians().sin_cos();
            let lit = changed(&paper, |x, y, level| {
                let (x, y) = (x as f32 / 480.0 - 0.5, y as f32 / 480.0 - 0.5);
                level * (0.85 + 0.12 * (x * cosine + y * sine))
            });
            let what = format!("light from {degrees} degrees, a digit at {place:?}");
            let dropped = digit(&lit).dropped;
            assert_eq!(dropped.count(Thing::Surroundings), 0, "{what}");
            assert_like(&auto(&lit), &auto(&paper), &what);
        }
    }
}
