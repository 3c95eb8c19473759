//! Symbolic shapes: what is known about a tensor's size before it runs.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::{GraphError, Result};

/// The length of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A length known now; at least 1.
    Fixed(usize),
    /// A length known at run time, by name. The same name means the same length.
    Symbol(Arc<str>),
}

/// The lengths of a tensor's axes, outermost first. No axes: a scalar.
///
/// Displays as `[N, 28, 28]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(Vec<Dim>);

impl Dim {
    /// A length known at run time, for example `Dim::symbol("N")` for a batch.
    #[must_use]
    pub fn symbol(name: &str) -> Self {
        Self::Symbol(name.into())
    }

    /// The length, where it is known now.
    #[must_use]
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(length) => Some(*length),
            Self::Symbol(_) => None,
        }
    }

    /// The length that `self` and `other` broadcast to, or `None` where they cannot be proved to
    /// fit.
    ///
    /// ONNX, "Multidirectional broadcasting": equal lengths, or one of them is 1.
    fn broadcast(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a.clone()),
            (Self::Fixed(1), b) => Some(b.clone()),
            (a, Self::Fixed(1)) => Some(a.clone()),
            _ => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(length: usize) -> Self {
        Self::Fixed(length)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Symbol(name) => f.write_str(name),
        }
    }
}

impl Shape {
    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The shape that `self` and `other` broadcast to, or `None` where they cannot be proved to
    /// fit.
    pub(crate) fn broadcast(&self, other: &Self) -> Option<Self> {
        let rank = self.rank().max(other.rank());
        let from_end = |shape: &Self, back: usize| {
            let axis = shape.rank().checked_sub(back);
            axis.map_or(Dim::Fixed(1), |axis| shape.0[axis].clone())
        };
        (1..=rank)
            .rev()
            .map(|back| from_end(self, back).broadcast(&from_end(other, back)))
            .collect()
    }

    /// Refuses an unusable shape of the input or initializer `name`.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        match self.flaw() {
            Some(flaw) => {
                let reason = format!("`{name}` has the shape {self}, which has {flaw}");
                Err(GraphError::Value(reason))
            }
            None => Ok(()),
        }
    }

    /// What makes the shape unusable, if anything does.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if self.0.contains(&Dim::Fixed(0)) {
            return Some("an axis of length 0");
        }
        let is_nameless = |dim: &Dim| matches!(dim, Dim::Symbol(name) if name.is_empty());
        if self.0.iter().any(is_nameless) {
            return Some("a symbol without a name");
        }
        let (fixed, _) = volume(&self.0);
        (fixed > i64::MAX as u128).then_some("more elements than fit an int64")
    }
}

impl Deref for Shape {
    type Target = [Dim];

    fn deref(&self) -> &[Dim] {
        &self.0
    }
}

impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Self {
        Self(dims.into_iter().collect())
    }
}

impl<const N: usize> From<[Dim; N]> for Shape {
    fn from(dims: [Dim; N]) -> Self {
        Self(dims.into())
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Self {
        Self(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        dims.into_iter().map(Dim::Fixed).collect()
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        dims.iter().copied().map(Dim::Fixed).collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.0.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

/// The number of elements: a fixed factor (saturating) and the symbols that multiply it, sorted.
pub(crate) fn volume(dims: &[Dim]) -> (u128, Vec<&str>) {
    let mut fixed = 1_u128;
    let mut symbols = Vec::new();
    for dim in dims {
        match dim {
            Dim::Fixed(length) => fixed = fixed.saturating_mul(*length as u128),
            Dim::Symbol(name) => symbols.push(name.as_ref()),
        }
    }
    symbols.sort_unstable();
    (fixed, symbols)
}

/// The one axis that `dims` flatten to, or `None` where no single name or number says it (`3·N`,
/// `N·L`).
pub(crate) fn flattened(dims: &[Dim]) -> Option<Dim> {
    match volume(dims) {
        (fixed, symbols) if symbols.is_empty() => usize::try_from(fixed).ok().map(Dim::Fixed),
        (1, symbols) if symbols.len() == 1 => Some(Dim::symbol(symbols[0])),
        _ => None,
    }
}
