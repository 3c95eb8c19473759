//! `quintet generate`: images of digits that nobody wrote, to files and into the terminal.

mod args;
mod files;
mod preview;
mod report;

use std::time::Duration;

use quintet_client::{Client, Error, GenerateRequest, GeneratedDigits, Image, ImageFormat, Layout};

pub(crate) use self::args::{GENERATE_JSON, GenerateArgs};
use self::{
    files::{Destination, Folder, Sheet},
    preview::Preview,
    report::Report,
};
use crate::{failure::Failure, output, progress::Progress};

/// `timeout` is that of one call, or the longest wait for the next part of a stream.
pub(crate) async fn run(
    client: &Client,
    timeout: Duration,
    args: GenerateArgs,
) -> Result<(), Failure> {
    let mut preview = if args.no_preview || args.json {
        None
    } else {
        Preview::of_stdout()
    };
    let destination = match &args.out {
        Some(path) => Some(Destination::open(path, args.count)?),
        None if preview.is_none() => {
            return Err(Failure::usage("there is nowhere to put the images")
                .hint("--out sheet.png writes a sheet of all of them, --out DIR a file for each"));
        }
        None => None,
    };
    let report = match destination {
        Some(Destination::Sheet(sheet)) => to_sheet(client, &args, sheet, preview.as_mut()).await?,
        Some(Destination::Folder(folder)) => {
            to_folder(client, timeout, &args, folder, preview.as_mut()).await?
        }
        None => to_terminal(client, &args, preview.as_mut()).await?,
    };
    if args.json {
        return output::print_json(&report);
    }
    let shown = preview.map(|it| it.render(args.count as usize));
    output::print(&(shown.unwrap_or_default() + &report.render()))
}

async fn to_sheet(
    client: &Client,
    args: &GenerateArgs,
    sheet: Sheet,
    preview: Option<&mut Preview>,
) -> Result<Report, Failure> {
    let answer = call(client, request(args).layout(Layout::Grid)).await?;
    let image = answer.sheet.as_ref();
    let out = sheet.write(file(image)?)?;
    if let (Some(preview), Some(image)) = (preview, image) {
        preview.add(image);
    }
    let mut report = Report::new(Some(out));
    report.add(&answer, Vec::new());
    Ok(report)
}

async fn to_folder(
    client: &Client,
    timeout: Duration,
    args: &GenerateArgs,
    mut folder: Folder,
    mut preview: Option<&mut Preview>,
) -> Result<Report, Failure> {
    let mut report = Report::new(args.out.as_ref().map(|it| it.display().to_string()));
    let progress = Progress::new(args.count.into(), "images");
    // How long all of it takes is the count's matter; what has a bound is how long nothing comes.
    let patient = client.with_timeout(Duration::MAX);
    let mut parts = patient.generate_stream(request(args));
    loop {
        let part = tokio::time::timeout(timeout, parts.next()).await;
        let part = part.map_err(|_| {
            Failure::new(format!("no images came within {timeout:?}"))
                .hint("give it more time with --timeout")
        })?;
        let Some(part) = part else { break };
        let part = part.map_err(|error| failed(&error, client))?;
        let mut files = Vec::new();
        for it in &part.digits {
            files.push(folder.add(it.digit, file(it.image.as_ref())?)?);
            if let (Some(preview), Some(image)) = (&mut preview, &it.image) {
                preview.add(image);
            }
        }
        progress.bar().inc(part.digits.len() as u64);
        report.add(&part, files);
    }
    folder.finish()?;
    Ok(report)
}

async fn to_terminal(
    client: &Client,
    args: &GenerateArgs,
    preview: Option<&mut Preview>,
) -> Result<Report, Failure> {
    let answer = call(client, request(args).format(ImageFormat::Raw)).await?;
    if let Some(preview) = preview {
        let images = answer.digits.iter().filter_map(|it| it.image.as_ref());
        images.for_each(|image| preview.add(image));
    }
    let mut report = Report::new(None);
    report.add(&answer, Vec::new());
    Ok(report)
}

fn request(args: &GenerateArgs) -> GenerateRequest {
    let mut request = GenerateRequest::new(args.count)
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .classifier(args.classifier.as_deref().unwrap_or_default());
    if let Some(seed) = args.seed {
        request = request.seed(seed);
    }
    if let Some(digit) = args.digit {
        request = request.digit(digit);
    }
    if let Some(min_confidence) = args.min_confidence {
        request = request.min_confidence(min_confidence);
    }
    request
}

async fn call(client: &Client, request: GenerateRequest) -> Result<GeneratedDigits, Failure> {
    let answer = client.generate(request).await;
    answer.map_err(|error| failed(&error, client))
}

/// The PNG file that was asked for.
fn file(image: Option<&Image>) -> Result<&[u8], Failure> {
    let file = image.and_then(Image::as_encoded);
    file.map(AsRef::as_ref)
        .ok_or_else(|| Failure::new("the server sent pixels where a PNG file was asked for"))
}

fn failed(error: &Error, client: &Client) -> Failure {
    let failure = Failure::of_call(error, client.address());
    let mut fields = error.field_violations().iter();
    if error.rpc() == "GenerateDigits" && fields.any(|it| it.field == "count") {
        return failure.hint("a folder takes larger counts: --out DIR");
    }
    failure
}
