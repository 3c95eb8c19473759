//! What framing found in a picture, beside the frame.

/// What the search for a digit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// Whether there is ink that can be one digit. If not, the frame is black.
    pub ink_found: bool,
    /// How ink and paper differ.
    pub polarity: Polarity,
    /// What was in the picture beside the digit.
    pub dropped: Dropped,
}

/// How ink differs from its paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// As on paper.
    DarkOnLight,
    /// As on a blackboard, and in MNIST.
    LightOnDark,
}

/// A kind of thing that is no part of the digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// What lies around the paper: a desk, a border line, a form's box with what is outside.
    Surroundings,
    /// Light that falls unevenly: a shadow, a vignette.
    Shadow,
    /// A long thin straight line: a rule, an underline, a side of a box.
    Line,
    /// What the picture's edge cuts: a finger, a part of another digit.
    AtEdge,
    /// Ink that is small beside the digit.
    Speck,
    /// Other ink beside the digit, such as a second one.
    Neighbour,
}

/// How many things of each kind were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped([u32; Thing::ALL.len()]);

impl Thing {
    /// Every kind, in the order of the steps that drop them.
    pub const ALL: [Self; 6] = [
        Self::Surroundings,
        Self::Shadow,
        Self::Line,
        Self::AtEdge,
        Self::Speck,
        Self::Neighbour,
    ];
}

impl Dropped {
    pub(super) const NONE: Self = Self([0; Thing::ALL.len()]);

    /// How many of this kind.
    pub fn count(&self, thing: Thing) -> u32 {
        self.0[thing as usize]
    }

    /// The kinds that were dropped, and how many of each.
    pub fn iter(&self) -> impl Iterator<Item = (Thing, u32)> {
        let counts = Thing::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, thing: Thing, count: usize) {
        self.0[thing as usize] += count as u32;
    }
}
