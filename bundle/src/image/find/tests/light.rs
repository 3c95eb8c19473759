//! Light that falls off slowly over a page that is large beside its digit.

use super::*;

/// The frame does not change with the light, which is given for a place from 0 to 1.
#[track_caller]
fn assert_light_is_no_ink(
    what: &str,
    (width, height): (u32, u32),
    light: impl Fn(f32, f32) -> f32,
) {
    let size = height as f32 / 5.0;
    let places = [(0.1, 0.1), (0.45, 0.4), (0.8, 0.7)];
    for (left, top) in places {
        let at = (left * width as f32, top * height as f32);
        let page = photo((width, height), &TWO, at, size, size / 10.0);
        let shaded = changed(&page, |x, y, level| {
            level * light(x as f32 / width as f32, y as f32 / height as f32)
        });
        assert_like(
            &auto(&shaded),
            &auto(&page),
            &format!("{what}, {left} {top}"),
        );
    }
}

#[test]
fn a_vignette_is_no_ink() {
    for loss in [0.2, 0.4, 0.6] {
        let vignette = |x: f32, y: f32| 1.0 - loss * 2.0 * ((x - 0.5).powi(2) + (y - 0.5).powi(2));
        for size in [(600, 450), (660, 300)] {
            assert_light_is_no_ink(&format!("{loss} of {size:?}"), size, vignette);
        }
    }
}

#[test]
fn the_light_of_a_lamp_is_no_ink() {
    for lamp in [(0.5, 0.5), (0.9, 0.6)] {
        let fades = |x: f32, y: f32| {
            let away = (1.33 * (x - lamp.0)).hypot(y - lamp.1) / 0.5;
            0.25 + 0.75 / (1.0 + away * away)
        };
        assert_light_is_no_ink(&format!("lamp at {lamp:?}"), (600, 450), fades);
    }
    for least in [0.5, 0.3] {
        let falls = |x: f32, y: f32| 1.0 - (1.0 - least) * x.midpoint(y).powf(1.5);
        assert_light_is_no_ink(&format!("{least} at a side"), (600, 450), falls);
    }
}
