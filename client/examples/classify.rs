//! Classifies image files: `cargo run -p quintet-client --example classify -- seven.png`.

use std::{error::Error, io::Write as _, time::Duration};

use quintet_client::{ClassifyRequest, Client, Image};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<_> = std::env::args().skip(1).collect();
    let images = paths
        .iter()
        .map(|path| std::fs::read(path).map(Image::encoded));
    let request = ClassifyRequest::new(images.collect::<Result<Vec<_>, _>>()?).top_k(3);

    let client = Client::builder("http://127.0.0.1:50051")
        .timeout(Duration::from_secs(5))
        .connect()
        .await?;
    let answer = client.classify(request).await?;

    let mut out = std::io::stdout().lock();
    for (path, prediction) in paths.iter().zip(&answer.predictions) {
        for label in &prediction.labels {
            writeln!(out, "{path}: {} {:.4}", label.name, label.probability)?;
        }
    }
    Ok(())
}
