//! What counts as agreement, and the file format.

use safetensors::Dtype;

use super::*;

fn named(tensors: impl IntoIterator<Item = (&'static str, Tensor)>) -> BTreeMap<String, Tensor> {
    tensors
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .collect()
}

fn floats(values: &[f32]) -> Tensor {
    Tensor::new::<f32>([values.len()], values).unwrap()
}

fn samples() -> GoldenSamples {
    GoldenSamples {
        inputs: named([("pixels", Tensor::new::<u8>([3, 1], vec![1, 2, 3]).unwrap())]),
        outputs: named([("score", floats(&[0.25, 0.5, 0.75]))]),
    }
}

#[test]
fn differences_within_the_tolerance_agree() {
    let largest = |values: &[f32]| samples().compare(&named([("score", floats(values))]), 0.01);
    assert_eq!(largest(&[0.25, 0.5, 0.75]), Ok(0.0));
    let found = largest(&[0.25, 0.508, 0.749]).unwrap();
    assert!((found - 0.008).abs() < 1e-6, "{found}");
    let extra = named([
        ("score", floats(&[0.25, 0.5, 0.75])),
        ("other", floats(&[f32::NAN])),
    ]);
    assert_eq!(samples().compare(&extra, 0.0), Ok(0.0));
}

#[test]
fn mismatches() {
    let message = |actual: BTreeMap<String, Tensor>| {
        samples().compare(&actual, 0.01).unwrap_err().to_string()
    };
    let score = |values: &[f32]| named([("score", floats(values))]);
    assert_eq!(message(named([])), "output `score` is missing");
    assert_eq!(
        message(score(&[0.25, 0.5])),
        "output `score` is FP32 [2], expected FP32 [3]"
    );
    let integers = named([("score", Tensor::new::<i32>([3], [0, 0, 0]).unwrap())]);
    assert_eq!(
        message(integers),
        "output `score` is INT32 [3], expected FP32 [3]"
    );
    assert_eq!(
        message(score(&[0.25, 0.0, 0.5])),
        "output `score` differs at element 1: got 0, expected 0.5, tolerance 0.01"
    );
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(
            message(score(&[0.25, bad, 0.75])).contains("at element 1"),
            "{bad}"
        );
        // No tolerance is wide enough.
        assert!(
            samples()
                .compare(&score(&[0.25, bad, 0.75]), f32::INFINITY)
                .is_err(),
            "{bad}"
        );
    }
}

#[test]
fn levels_of_pixels_compare_too() {
    let expected = Tensor::new::<u8>([1, 2], vec![10, 250]).unwrap();
    let golden = GoldenSamples {
        inputs: BTreeMap::new(),
        outputs: named([("pixels", expected)]),
    };
    let actual = named([("pixels", Tensor::new::<u8>([1, 2], vec![11, 248]).unwrap())]);
    assert_eq!(golden.compare(&actual, 2.0), Ok(2.0));
    assert!(golden.compare(&actual, 1.0).is_err());
}

#[test]
fn bytes_come_back_and_do_not_change() {
    let mut golden = samples();
    golden
        .inputs
        .insert("ids".into(), Tensor::new::<i64>([3], [1, -2, 3]).unwrap());
    golden.inputs.insert(
        "lengths".into(),
        Tensor::new::<i32>([3], [1, 2, 3]).unwrap(),
    );
    let bytes = golden.to_bytes().unwrap();
    assert_eq!(GoldenSamples::from_bytes(&bytes).unwrap(), golden);
    assert_eq!(golden.to_bytes().unwrap(), bytes);
}

#[test]
fn foreign_files_are_refused() {
    let file = |name: &str, dtype: Dtype, bytes: &[u8]| {
        let view = TensorView::new(dtype, vec![1], bytes).unwrap();
        let bytes = safetensors::serialize([(name, view)], None).unwrap();
        GoldenSamples::from_bytes(&bytes).unwrap_err()
    };
    assert_eq!(
        file("weight", Dtype::U8, &[1]),
        "tensor `weight` must be named `input.<name>` or `output.<name>`"
    );
    assert_eq!(
        file("input.x", Dtype::F16, &[1, 2]),
        "tensor `input.x` has the unsupported type F16"
    );
    let error = GoldenSamples::from_bytes(b"nonsense, not tensors").unwrap_err();
    assert!(error.starts_with("not a safetensors file: "), "{error}");
}
