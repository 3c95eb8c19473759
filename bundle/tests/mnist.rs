//! Every picture of MNIST is a frame already. Runs where `QUINTET_DATA_DIR` names the data.

use std::path::Path;

use quintet_bundle::image::{Framing, GrayImage, frame_digit};
use quintet_data::mnist::{self, Split};

#[test]
fn all_of_mnist_passes_unchanged() {
    let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
        return;
    };
    for split in Split::ALL {
        let digits = mnist::load(Path::new(&data_dir), split).unwrap();
        assert!(digits.len() >= 10_000);
        for index in 0..digits.len() {
            let image = GrayImage::from_raw(28, 28, digits.image(index).to_vec()).unwrap();
            let frame = frame_digit(&image, Framing::Auto);
            assert_eq!(frame, digits.image(index), "{split:?} {index}");
        }
    }
}
