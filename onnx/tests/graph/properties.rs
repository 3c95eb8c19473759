//! Rules that hold for all inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use quintet_onnx::{DataType, Dim, GraphBuilder, Shape, ops};

fn dim() -> impl Strategy<Value = Dim> {
    prop_oneof![
        3 => Just(Dim::Fixed(1)),
        3 => (2..4_usize).prop_map(Dim::Fixed),
        1 => Just(Dim::symbol("N")),
        1 => Just(Dim::symbol("L")),
    ]
}

fn shape() -> impl Strategy<Value = Vec<Dim>> {
    vec(dim(), 0..4)
}

/// Broadcasting as ONNX words it: pad the shorter shape with ones in front, then axis by axis.
fn broadcast_reference(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let padded = |dims: &[Dim]| {
        let mut padded = vec![Dim::Fixed(1); rank - dims.len()];
        padded.extend_from_slice(dims);
        padded
    };
    let mut result = Vec::new();
    for (a, b) in padded(a).into_iter().zip(padded(b)) {
        if a == Dim::Fixed(1) {
            result.push(b);
        } else if b == Dim::Fixed(1) || a == b {
            result.push(a);
        } else {
            return None;
        }
    }
    Some(result)
}

fn sum(a: &[Dim], b: &[Dim]) -> Option<Shape> {
    let mut g = GraphBuilder::new("sum");
    let a = g.input("a", DataType::Float32, a.to_vec()).unwrap();
    let b = g.input("b", DataType::Float32, b.to_vec()).unwrap();
    ops::add(&mut g, &a, &b).ok().map(|sum| sum.shape().clone())
}

proptest! {
    #[test]
    fn broadcasting_is_commutative_and_as_onnx_words_it(a in shape(), b in shape()) {
        let expected = broadcast_reference(&a, &b).map(Shape::from);
        prop_assert_eq!(sum(&a, &b), expected.clone());
        prop_assert_eq!(sum(&b, &a), expected);
    }

    #[test]
    fn broadcasting_with_itself_changes_nothing(a in shape()) {
        prop_assert_eq!(sum(&a, &a), Some(Shape::from(a)));
    }

    #[test]
    fn reshape_keeps_the_number_of_elements(
        from in vec(1..7_usize, 1..4),
        to in vec(-1..7_i64, 1..4),
    ) {
        let mut g = GraphBuilder::new("reshape");
        let x = g.input("x", DataType::Float32, &from[..]).unwrap();
        let count: usize = from.iter().product();
        // What ONNX would do: keep, take as it is, and give -1 what is left.
        let zeros_fit = to.iter().enumerate().all(|(axis, &length)| length != 0 || axis < from.len());
        let known: usize = to
            .iter()
            .enumerate()
            .map(|(axis, &length)| match length {
                0 => from.get(axis).copied().unwrap_or(1),
                -1 => 1,
                length => usize::try_from(length).unwrap(),
            })
            .product();
        let fits = match to.iter().filter(|&&length| length == -1).count() {
            0 => known == count,
            1 => count.is_multiple_of(known),
            _ => false,
        };
        let result = ops::reshape(&mut g, &x, &to);
        prop_assert_eq!(result.is_ok(), zeros_fit && fits);
        if let Ok(y) = result {
            let kept: usize = y.shape().iter().map(|dim| dim.fixed().unwrap()).product();
            prop_assert_eq!(kept, count);
        }
    }
}
