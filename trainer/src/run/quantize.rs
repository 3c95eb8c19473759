//! `export --from`: a bundle in int8 of one in float32.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use quintet_bundle::{
    self as bundle, Bundle, BundleContents, Golden, GoldenSamples, Manifest, Provenance,
};
use tch::{Device, Kind, Tensor};

use super::evaluate::test_samples;
use crate::cli::{ALL, Export};
use crate::data::Samples;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::export::export;
use crate::models::Architecture;
use crate::network::Network;
use crate::progress;
use crate::read_back::read_back;
use crate::recipe::Recipe;
use crate::release::{CREATED_BY, names};
use crate::task::exam::INT8_TOLERANCE;
use crate::verify::{LoadedModel, Runtime, compare};

/// Rows of a run of both graphs.
const BATCH: usize = 8;

/// What one of the two graphs gave for the test samples.
#[derive(Default)]
struct Judged {
    probabilities: Vec<f32>,
    took: Duration,
}

/// Writes the bundle `from` of the network that `args` name again, in int8.
pub(super) fn quantize(
    args: &Export,
    from: &Path,
    networks: &[&'static Architecture],
    runtime: &Runtime,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let bundle = Bundle::open(from)?;
    let refuse = |problem: &str| Error::file(from)(problem);
    let named = |it: &&&Architecture| args.network != ALL && it.name == args.network;
    let one = || Error::value("--from", from.display(), "for one network, not all");
    let architecture = networks.iter().find(named).ok_or_else(one)?;
    let manifest = bundle.manifest();
    let Provenance::Trained(training) = &manifest.provenance else {
        return Err(refuse("was not trained here; `import` has --quantize, too"));
    };
    if manifest.quantization.is_some() {
        return Err(refuse("computes in int8 already"));
    }
    let recipe = Recipe::parse(&training.recipe, "in the manifest")?;
    // Before its weights are read: a network without such layers is refused as that.
    Network::new(architecture, &recipe, Device::Cpu).quantize()?;
    let mut network = read_back(architecture, &recipe, bundle.model())?;
    let golden = bundle.golden();
    // Opening a bundle compares the golden samples with the manifest, which has an output.
    let inputs = manifest.inputs.iter();
    let inputs = inputs.map(|it| torch(&golden.inputs[&it.name]));
    let inputs: Vec<_> = inputs.collect();
    let output = torch(&golden.outputs[&manifest.outputs[0].name]);
    compare(&output, &network.output(&inputs), manifest.golden.tolerance)?;

    network.quantize()?;
    let model = export(&network)?.to_bytes();
    let mut after = runtime.model(&model)?;
    let expected = network.output(&inputs);
    let difference = compare(&expected, &after.output(&inputs)?, INT8_TOLERANCE)?;

    let mut metrics =
        BTreeMap::from([("onnxruntime_difference".to_owned(), f64::from(difference))]);
    if args.data.data_dir.is_dir() {
        let (dataset, test) = test_samples(&args.data, architecture, &bundle)?;
        let all = test.len();
        let test = spread(&test, args.test_samples.map_or(all, |it| it as usize));
        let mut before = runtime.model(bundle.model())?;
        let [before, after] = judge(&test, &mut before, &mut after)?;
        let what = format!("{} of {all} test {}", test.len(), dataset.noun());
        report(&what, &test, &before, &after, out)?;
        // Of a part of the samples, a figure would be taken for that of all.
        if test.len() == all {
            let evaluations = [&before, &after].map(|it| it.evaluation(&test));
            let [before, after] = &evaluations;
            metrics.insert("test_accuracy".to_owned(), after.accuracy());
            metrics.insert("test_accuracy_float32".to_owned(), before.accuracy());
            metrics.insert("test_loss".to_owned(), after.loss);
        }
    } else {
        let folder = args.data.data_dir.display();
        progress::line(&format!("{folder} is absent: the accuracy is not measured"));
    }
    let golden = GoldenSamples {
        inputs: golden.inputs.clone(),
        outputs: names(&manifest.outputs, std::slice::from_ref(&expected))?,
    };
    let manifest = Manifest {
        version: args.output.model_version,
        created_by: CREATED_BY.to_owned(),
        quantization: network.quantization(),
        metrics,
        golden: Golden {
            tolerance: INT8_TOLERANCE,
            ..manifest.golden
        },
        ..manifest.clone()
    };
    let extra = manifest.files.keys();
    let extra =
        extra.filter(|it| ![bundle::MODEL_FILE, bundle::GOLDEN_FILE].contains(&it.as_str()));
    let extra = extra.filter_map(|it| Some((it.clone(), bundle.file(it)?.to_owned())));
    let extra = extra.collect();
    let contents = BundleContents {
        extra,
        manifest,
        model,
        golden,
    };
    let written = bundle::write_bundle(&args.output.models_dir, contents)?;
    writeln!(
        out,
        "onnxruntime and libtorch differ by at most {difference:.1e}"
    )?;
    writeln!(out, "bundle    {}", written.display())?;
    Ok(())
}

fn torch(tensor: &bundle::Tensor) -> Tensor {
    let shape: Vec<i64> = tensor.shape().iter().map(|&it| it as i64).collect();
    let kind = match tensor.datatype() {
        bundle::DataType::Uint8 => Kind::Uint8,
        bundle::DataType::Int32 => Kind::Int,
        bundle::DataType::Int64 => Kind::Int64,
        bundle::DataType::Float32 => Kind::Float,
    };
    Tensor::from_data_size(tensor.bytes(), &shape, kind)
}

/// `count` of the samples, evenly spread over all.
fn spread(samples: &Samples, count: usize) -> Samples {
    let all = samples.len();
    let count = count.min(all);
    let places: Vec<i64> = (0..count).map(|it| (it * all / count) as i64).collect();
    samples.select(&places)
}

/// Runs the samples through both graphs in turn, so that what else the machine does meets both.
fn judge(
    test: &Samples,
    before: &mut LoadedModel,
    after: &mut LoadedModel,
) -> Result<[Judged; 2], Error> {
    let mut judged = [Judged::default(), Judged::default()];
    let bar = progress::bar("{msg} {bar:30} {pos}/{len}", test.len() as u64);
    bar.set_message("float32 and int8");
    for start in (0..test.len()).step_by(BATCH) {
        let inputs = test.slice(start, BATCH).inputs;
        for (model, judged) in [&mut *before, &mut *after].into_iter().zip(&mut judged) {
            let start = Instant::now();
            let output = model.output(&inputs)?;
            judged.took += start.elapsed();
            let values = Vec::<f32>::try_from(output.flatten(0, -1))?;
            judged.probabilities.extend(values);
        }
        bar.inc(BATCH as u64);
    }
    Ok(judged)
}

impl Judged {
    fn evaluation(&self, test: &Samples) -> Evaluation {
        Evaluation::new(&self.probabilities, &test.label_values())
    }
}

fn report(
    what: &str,
    test: &Samples,
    before: &Judged,
    after: &Judged,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let [accuracy, quantised] = [before, after].map(|it| 100.0 * it.evaluation(test).accuracy());
    let points = quantised - accuracy;
    writeln!(
        out,
        "{what}: float32 {accuracy:.2} %, int8 {quantised:.2} %, difference {points:+.2} points"
    )?;
    let pairs = before.probabilities.iter().zip(&after.probabilities);
    let differences: Vec<f32> = pairs
        .map(|(before, after)| (before - after).abs())
        .collect();
    let largest = differences.iter().copied().fold(0.0, f32::max);
    let mean = differences.iter().sum::<f32>() / differences.len() as f32;
    writeln!(
        out,
        "probabilities differ by at most {largest:.3}, {mean:.4} on average"
    )?;
    let [float32, int8] = [before, after].map(|it| test.len() as f64 / it.took.as_secs_f64());
    let ratio = int8 / float32;
    writeln!(
        out,
        "{BATCH} together, in turn: float32 {float32:.1} a second, int8 {int8:.1}, {ratio:.2} times"
    )?;
    Ok(())
}
