//! Initializers of every type, and weights stored as float16.

use half::f16;
use quintet_onnx::{DataType, Storage, initializers, ops};

use crate::harness::{Array, Case};

#[test]
fn initializers_keep_their_numbers() {
    let mut case = Case::new();
    let floats = [f32::MIN_POSITIVE, -0.0, 1.5, f32::MAX];
    let values = [
        case.g.initializer_f32("f32", &[2, 2], &floats).unwrap(),
        case.g.initializer("i64", &[2], &[i64::MIN, 258]).unwrap(),
        case.g.initializer("i32", &[2], &[i32::MIN, 258]).unwrap(),
        case.g.initializer("u8", &[3], &[0_u8, 1, 255]).unwrap(),
    ];
    for value in &values {
        let one_more = ops::unsqueeze(&mut case.g, value, &[0]).unwrap();
        case.output(&one_more);
    }
    let expected = [
        Array::f32(&[1, 2, 2], &floats),
        Array::i64(&[1, 2], &[i64::MIN, 258]),
        Array::i32(&[1, 2], &[i32::MIN, 258]),
        Array::u8(&[1, 3], &[0, 1, 255]),
    ];
    assert_eq!(case.run(), expected);
}

#[test]
fn half_size_weights_are_cast_in_the_graph() {
    let mut case = Case::new();
    let x = case.fixed(Array::f32(&[1], &[1.0]));
    let data = [1.0 / 3.0, -65504.0, 2.0_f32.powi(-24), 0.0];
    case.g.set_storage(Storage::Float16);
    let weight = case.g.weight("w", &[4], 0, &data).unwrap();
    assert_eq!(weight.data_type(), DataType::Float32);
    let y = ops::mul(&mut case.g, &x, &weight).unwrap();
    let rounded = [0.333_251_95, -65504.0, 2.0_f32.powi(-24), 0.0];
    assert_eq!(case.result(&y), Array::f32(&[4], &rounded));
}

#[test]
fn float16_initializers_take_two_bytes_each() {
    let mut case = Case::new();
    let stored = case
        .g
        .initializer("h", &[2], &[0.5, -2.0].map(f16::from_f32))
        .unwrap();
    assert_eq!(
        (stored.data_type(), stored.name()),
        (DataType::Float16, "h")
    );
    let y = ops::cast(&mut case.g, &stored, DataType::Float32).unwrap();
    assert_eq!(case.result(&y), Array::f32(&[2], &[0.5, -2.0]));
}

#[test]
fn weights_are_read_back_with_the_float32_value_that_holds_them() {
    let mut case = Case::new();
    let whole = case.g.weight("whole", &[2], 0, &[0.1, 0.2]).unwrap();
    case.g.set_storage(Storage::Float16);
    let weights = [whole, case.g.weight("half", &[2], 0, &[0.5, -2.0]).unwrap()];
    let stored = case
        .g
        .initializer("never cast", &[2], &[1.0, 2.0].map(f16::from_f32))
        .unwrap();
    for value in weights.iter().chain([&stored]) {
        let one_more = ops::unsqueeze(&mut case.g, value, &[0]).unwrap();
        case.g
            .output(&format!("of {}", value.name()), &one_more)
            .unwrap();
    }
    let model = case.g.build(&[]).unwrap().to_bytes();
    let read = initializers(&model).unwrap().into_iter();
    let read: Vec<_> = read.map(|it| (it.name, it.data, it.float32)).collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        read,
        [
            ("whole".to_owned(), vec![0.1, 0.2], named("whole")),
            ("half".to_owned(), vec![0.5, -2.0], named(weights[1].name())),
            ("never cast".to_owned(), vec![1.0, 2.0], None),
        ]
    );
}
