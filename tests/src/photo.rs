//! Digits as people send them: on ruled paper, in a form, in bad light, beside other things.
//!
//! Each file under `photo/` holds one idea, and gives its [`Kind`]s: a name, the share that is to
//! be read right, and the picture that it makes of a digit. The same seed gives the same picture.

mod blank;
mod clean;
mod colour;
mod drawing;
mod letters;
mod light;
mod lines;
mod other;
mod page;
mod place;
mod surroundings;

pub use blank::Blank;
pub use drawing::Drawing;
pub use fastrand::Rng;

/// A kind of picture.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What is in the picture beside the digit.
    pub name: &'static str,
    /// The least share of MNIST's test digits that the committed CNN is to read right.
    pub goal: f64,
    /// Draws the digit into a picture of this kind: a PNG or JPEG file.
    pub draw: fn(&Drawing, &mut Rng) -> Vec<u8>,
}

/// Every kind there is.
pub fn kinds() -> Vec<Kind> {
    [
        &clean::KINDS[..],
        &lines::KINDS,
        &surroundings::KINDS,
        &light::KINDS,
        &colour::KINDS,
        &place::KINDS,
    ]
    .concat()
}

/// Every kind of picture in which there is no digit.
pub fn blanks() -> &'static [Blank] {
    &blank::BLANKS
}

/// Every kind of picture with ink that is no digit.
pub fn others() -> &'static [Blank] {
    &other::OTHERS
}

const fn kind(name: &'static str, goal: f64, draw: fn(&Drawing, &mut Rng) -> Vec<u8>) -> Kind {
    Kind { name, goal, draw }
}

/// A number between two.
fn between(rng: &mut Rng, least: f32, most: f32) -> f32 {
    least + (most - least) * rng.f32()
}

/// A number of the standard normal distribution (Box and Muller 1958).
fn normal(rng: &mut Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.f32()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.f32()).cos()
}
