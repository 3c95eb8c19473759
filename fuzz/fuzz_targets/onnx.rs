//! An ONNX model whose weights are read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|model: &[u8]| {
    for initializer in quintet_onnx::initializers(model).into_iter().flatten() {
        let elements = initializer.shape.iter().try_fold(1_usize, |all, &it| all.checked_mul(it));
        assert_eq!(elements, Some(initializer.data.len()));
    }
});
