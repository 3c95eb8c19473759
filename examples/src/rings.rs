//! A data set: points around the origin, by the ring that they lie in.

use std::collections::BTreeMap;

use quintet_bundle::{Bundle, DataType, Preprocessing, TensorSpec};
use quintet_trainer::data::{Dataset, Loaded, Samples, Source};
use quintet_trainer::error::Error;
use quintet_trainer::random::SplitMix64;
use tch::Tensor;

use crate::scaling::Scaling;

/// Points within 100 of the origin in both directions.
#[derive(Debug)]
pub struct Rings;

/// Where one ring ends and the next begins.
const RADII: [f32; 2] = [35.0, 75.0];
const SCALING: Scaling = Scaling { factor: 0.01 };

/// The ring of a point: 0, 1 or 2.
pub fn ring([x, y]: [f32; 2]) -> i64 {
    RADII.iter().filter(|radius| x.hypot(y) > **radius).count() as i64
}

/// Points that a seed gives, scaled by `scaling`.
fn samples(seed: u64, count: usize, scaling: Scaling) -> Samples {
    let mut random = SplitMix64::for_stream(seed, 0);
    let mut coordinate = || random.unit() as f32 * 200.0 - 100.0;
    let points: Vec<[f32; 2]> = (0..count).map(|_| [coordinate(), coordinate()]).collect();
    let labels: Vec<i64> = points.iter().map(|point| ring(*point)).collect();
    Samples {
        inputs: vec![tensor(&points, scaling)],
        labels: Tensor::from_slice(&labels),
        texts: None,
    }
}

fn tensor(points: &[[f32; 2]], scaling: Scaling) -> Tensor {
    let scaled: Vec<f32> = points
        .iter()
        .flat_map(|point| scaling.apply(*point))
        .collect();
    Tensor::from_slice(&scaled).reshape([-1, 2])
}

impl Dataset for Rings {
    fn name(&self) -> &'static str {
        "rings"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["inner", "middle", "outer"]
    }

    fn inputs(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::new(
            "points",
            DataType::Float32,
            ["N".into(), 2.into()],
        )]
    }

    fn load(&self, _: &Source<'_>) -> Result<Loaded, Error> {
        Ok(Loaded {
            further: None,
            taught: None,
            train: samples(1, 4000, SCALING),
            test: samples(2, 1000, SCALING),
            preprocessing: Some(Preprocessing::of(&SCALING)),
            golden: vec![tensor(&[[0.0, 0.0], [50.0, 0.0], [-90.0, 90.0]], SCALING)],
            files: BTreeMap::new(),
        })
    }

    fn load_test(&self, _: &Source<'_>, bundle: &Bundle) -> Result<Samples, Error> {
        let scaling = bundle.manifest().spec();
        let scaling = scaling.map_err(|error| Error::file(bundle.path())(error.to_string()))?;
        Ok(samples(2, 1000, scaling))
    }
}
