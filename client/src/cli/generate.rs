//! `quintet generate`: images of digits that nobody wrote, to files and into the terminal.

mod args;
mod files;
mod preview;
mod report;

use quintet_client::{Client, Error, GenerateRequest, GeneratedDigits, Image, ImageFormat, Layout};

pub(crate) use self::args::{GENERATE_JSON, GenerateArgs};
use self::{files::Destination, preview::Preview, report::Report};
use crate::{failure::Failure, output, progress::Progress};

pub(crate) async fn run(client: &Client, args: GenerateArgs) -> Result<(), Failure> {
    let mut preview = Preview::default();
    if !(args.no_preview || args.json) {
        preview = Preview::of_stdout();
    }
    let destination = match &args.out {
        Some(path) => Some(Destination::open(path, args.count)?),
        None if !(preview.has_room() || args.json) => {
            return Err(Failure::usage("there is nowhere to put the images")
                .hint("--out sheet.png writes a sheet of all of them, --out DIR a file for each"));
        }
        None => None,
    };
    let mut report = Report::new(args.out.as_ref().map(|it| it.display().to_string()));
    match destination {
        Some(Destination::Sheet(sheet)) => {
            let answer = call(client, request(&args).layout(Layout::Grid)).await?;
            sheet.write(file(answer.sheet.as_ref())?)?;
            answer.sheet.iter().for_each(|image| preview.add(image));
            report.add(answer, Vec::new());
        }
        Some(Destination::Folder(mut folder)) => {
            let progress = Progress::new(args.count.into(), "images");
            let mut parts = client.generate_stream(request(&args));
            while let Some(part) = parts.next().await {
                let part = part.map_err(|error| failed(error, client))?;
                let mut files = Vec::new();
                for it in &part.digits {
                    files.push(folder.add(it.digit, file(it.image.as_ref())?)?);
                    it.image.iter().for_each(|image| preview.add(image));
                }
                progress.bar().inc(part.digits.len() as u64);
                report.add(part, files);
            }
            folder.finish()?;
        }
        None => {
            let answer = call(client, request(&args).format(ImageFormat::Raw)).await?;
            let images = answer.digits.iter().filter_map(|it| it.image.as_ref());
            images.for_each(|image| preview.add(image));
            report.add(answer, Vec::new());
        }
    }
    output::print(&preview.render(args.count as usize))?;
    output::print_report(args.json, &report, Report::render)
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
    answer.map_err(|error| failed(error, client))
}

/// The PNG file that was asked for.
fn file(image: Option<&Image>) -> Result<&[u8], Failure> {
    let file = image.and_then(Image::as_encoded);
    file.map(AsRef::as_ref)
        .ok_or_else(|| Failure::new("the server sent pixels where a PNG file was asked for"))
}

fn failed(error: Error, client: &Client) -> Failure {
    let mut fields = error.field_violations().iter();
    let too_many = error.rpc() == "GenerateDigits" && fields.any(|it| it.field == "count");
    let failure = Failure::of_call(client.address())(error);
    if too_many {
        return failure.hint("a folder takes larger counts: --out DIR");
    }
    failure
}
