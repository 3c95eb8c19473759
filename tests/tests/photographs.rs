//! A classifier of colour pictures, whatever its layout, type and channel order: it says which
//! channel is the strongest.

#![expect(clippy::unwrap_used, reason = "a set-up that fails must fail its test")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use quintet_bundle::image::{Channels, Filter, Fit, ImageSpec, WHITE};
use quintet_bundle::{
    BundleContents, DataType, Golden, GoldenSamples, Manifest, Preprocessing, Role, Tensor,
    TensorSpec, task, write_bundle,
};
use quintet_client::{ClassifyRequest, Image};
use quintet_e2e::server;
use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{Dim, GraphBuilder, GraphError};

const SIDE: usize = 4;
const PIXELS: usize = SIDE * SIDE;

/// How a model takes its pixels.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    channels: Channels,
    datatype: DataType,
    is_nchw: bool,
}

impl Form {
    fn shape(self) -> [usize; 3] {
        if self.is_nchw {
            [3, SIDE, SIDE]
        } else {
            [SIDE, SIDE, 3]
        }
    }

    /// The channel of each element of a row.
    fn channel(self, element: usize) -> usize {
        if self.is_nchw {
            element / PIXELS
        } else {
            element % 3
        }
    }

    /// Which label a channel belongs to.
    fn label(self, channel: usize) -> usize {
        if self.channels == Channels::Bgr {
            2 - channel
        } else {
            channel
        }
    }

    /// Logits: the mean of each channel.
    fn graph(self) -> Result<Vec<u8>, GraphError> {
        let mut g = GraphBuilder::new("channels");
        let shape = self.shape().map(Dim::from);
        let shape: Vec<Dim> = std::iter::once(Dim::symbol("N")).chain(shape).collect();
        let datatype = match self.datatype {
            DataType::Uint8 => quintet_onnx::DataType::Uint8,
            _ => quintet_onnx::DataType::Float32,
        };
        let pixels = g.input("image:0", datatype, shape)?;
        let x = ops::cast(&mut g, &pixels, quintet_onnx::DataType::Float32)?;
        let x = ops::flatten(&mut g, &x, 1)?;
        let mut weight = vec![0.0; 3 * PIXELS * 3];
        for element in 0..3 * PIXELS {
            weight[element * 3 + self.label(self.channel(element))] = 1.0 / PIXELS as f32;
        }
        let weight = g.initializer_f32("weight", &[3 * PIXELS, 3], &weight)?;
        let logits = ops::gemm(&mut g, &x, &weight, None, GemmAttributes::default())?;
        g.output("out", &logits)?;
        Ok(g.build(&[])?.to_bytes())
    }

    fn write(self, models: &Path) {
        let base = include_str!("../../bundle/tests/data/manifest_v2.toml");
        let spec = ImageSpec {
            width: SIDE,
            height: SIDE,
            channels: self.channels,
            fit: Fit::Crop {
                shorter_side: SIDE,
                filter: Filter::Bilinear,
            },
            background: WHITE,
        };
        let shape = |row: &[usize]| -> Vec<quintet_bundle::Dim> {
            let row = row.iter().map(|size| (*size).into());
            std::iter::once("N".into()).chain(row).collect()
        };
        let tensor = |name: &str, role, datatype, row: &[usize]| TensorSpec {
            name: name.to_owned(),
            ..TensorSpec::of_role(role, datatype, shape(row))
        };
        let manifest = Manifest {
            name: self.name.to_owned(),
            version: 1,
            task: task::IMAGE_CLASSIFICATION.to_owned(),
            labels: ["red", "green", "blue"].map(str::to_owned).to_vec(),
            preprocessing: Some(Preprocessing::of(&spec)),
            inputs: vec![tensor(
                "image:0",
                Role::Pixels,
                self.datatype,
                &self.shape(),
            )],
            outputs: vec![tensor("out", Role::Logits, DataType::Float32, &[3])],
            golden: Golden {
                samples: 1,
                tolerance: 1e-3,
                self_made: false,
            },
            files: BTreeMap::new(),
            ..Manifest::from_toml(base).unwrap()
        };
        let [a, b, c] = self.shape();
        let pixels = match self.datatype {
            DataType::Uint8 => Tensor::new([1, a, b, c], [60_u8; 3 * PIXELS]),
            _ => Tensor::new([1, a, b, c], [60.0_f32; 3 * PIXELS]),
        };
        let logits = Tensor::new([1, 3], [60.0_f32; 3]).unwrap();
        let contents = BundleContents {
            manifest,
            model: self.graph().unwrap(),
            golden: GoldenSamples {
                inputs: BTreeMap::from([("image:0".to_owned(), pixels.unwrap())]),
                outputs: BTreeMap::from([("out".to_owned(), logits)]),
            },
            extra: BTreeMap::new(),
        };
        write_bundle(models, contents).unwrap();
    }
}

/// A PNG of one colour with a border that the crop leaves out.
fn picture(colour: [u8; 3]) -> Vec<u8> {
    let inside = |x| (8..16).contains(&x);
    let pixel = |x, _| Rgb(if inside(x) { colour } else { [0, 0, 0] });
    let mut file = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(24, 8, pixel);
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

#[tokio::test]
async fn every_form_of_pixels_gives_the_same_answer() {
    let form = |name, channels, datatype, is_nchw| Form {
        name,
        channels,
        datatype,
        is_nchw,
    };
    let forms = [
        form("nhwc", Channels::Rgb, DataType::Uint8, false),
        form("nchw", Channels::Rgb, DataType::Float32, true),
        form("bgr", Channels::Bgr, DataType::Uint8, true),
        form("bgr-nhwc", Channels::Bgr, DataType::Float32, false),
    ];
    let models = tempfile::tempdir().unwrap();
    for form in forms {
        form.write(models.path());
    }
    let server = server().models_dir(models.path()).start().await;
    server.ready().await;
    let client = server.client().await;
    let strict = ClassifyRequest::new([Image::encoded(picture([0; 3]))]).refuse_unreadable(true);
    let refused = client.classify(strict.model("nhwc")).await.unwrap_err();
    let words = "images[0]: is of one colour; there is nothing to read";
    assert!(refused.to_string().contains(words), "{refused}");
    for form in forms {
        for (colour, label) in [
            ([200, 190, 10], "red"),
            ([0, 9, 2], "green"),
            ([20, 30, 31], "blue"),
        ] {
            let request = ClassifyRequest::new([Image::encoded(picture(colour))]);
            let answer = client.classify(request.model(form.name)).await.unwrap();
            let best = &answer.predictions[0].labels[0];
            assert_eq!(best.name, label, "{}", form.name);
            let others: f32 = colour
                .iter()
                .map(|level| (f32::from(*level) - f32::from(*colour.iter().max().unwrap())).exp())
                .sum();
            assert!(
                (best.probability - 1.0 / others).abs() < 1e-3,
                "{}",
                form.name
            );
        }
    }
}
