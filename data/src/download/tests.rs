//! Downloads from a server on this machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::{imdb, mnist};

/// The unpacked test file, and what is published about it.
const CONTENT: &[u8] = b"the content of a data file";
const FILE: PublishedFile = PublishedFile {
    name: "letters",
    is_of_packed: false,
    bytes: CONTENT.len() as u64,
    sha256: "2ff7470a965d7e8031049e35aa4ebd909c4be64db681eacf60ca138ef3ba6e19",
};

const LETTERS: Published = Published {
    folder: "mnist",
    is_shared: true,
    mirrors: &[],
    suffix: ".gz",
    files: &[FILE],
};

/// What the server says to `GET /<path>`: the status line's end, the promised length, the body.
type Answers = BTreeMap<&'static str, (&'static str, usize, Vec<u8>)>;

/// A server that answers until the test's process ends; gives its address and the paths asked.
fn serve(answers: Answers) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &answers, &log);
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, answers: &Answers, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map(Result::unwrap);
    let request = lines.next().unwrap();
    lines.find(String::is_empty);
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let missing = ("404 Not Found", 0, Vec::new());
    let (status, length, body) = answers.get(path.as_str()).unwrap_or(&missing);
    log.lock().unwrap().push(path);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    // The client may have gone when it has seen enough.
    let _ = stream.write_all(body);
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn ok(body: Vec<u8>) -> (&'static str, usize, Vec<u8>) {
    ("200 OK", body.len(), body)
}

/// Fetches from one server with one answer; gives the folder and the outcome.
fn fetched(answer: (&'static str, usize, Vec<u8>)) -> (TempDir, Result<(), DataError>) {
    let (address, _) = serve(Answers::from([("/letters.gz", answer)]));
    let dir = tempfile::tempdir().unwrap();
    let outcome = LETTERS.ensure_from(dir.path(), &[&address]);
    (dir, outcome)
}

#[track_caller]
fn failure(answer: (&'static str, usize, Vec<u8>)) -> String {
    let (dir, outcome) = fetched(answer);
    let error = outcome.unwrap_err();
    assert_eq!(error.path, target(&dir));
    assert_eq!(
        files(&dir),
        Vec::<PathBuf>::new(),
        "nothing may be left behind"
    );
    let DataErrorKind::Download(failures) = error.kind else {
        panic!("not a failed download: {}", error.kind);
    };
    let (_, reason) = failures.split_once("/letters.gz: ").unwrap();
    reason.to_owned()
}

fn target(dir: &TempDir) -> PathBuf {
    dir.path().join("mnist/letters.gz")
}

fn files(dir: &TempDir) -> Vec<PathBuf> {
    let folder = dir.path().join("mnist");
    if !folder.exists() {
        return Vec::new();
    }
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn a_good_file_is_stored_whole() {
    let (dir, outcome) = fetched(ok(packed(CONTENT)));
    outcome.unwrap();
    assert_eq!(files(&dir), [target(&dir)]);
    assert_eq!(fs::read(target(&dir)).unwrap(), packed(CONTENT));
}

#[test]
fn another_packing_of_the_same_content_is_good() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(CONTENT).unwrap();
    let (_dir, outcome) = fetched(ok(encoder.finish().unwrap()));
    outcome.unwrap();
}

#[test]
fn a_file_that_is_there_is_not_fetched() {
    let (address, asked) = serve(Answers::new());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letters"), CONTENT).unwrap();
    LETTERS.ensure_from(dir.path(), &[&address]).unwrap();
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn wrong_content() {
    // The right start and more is wrong too, and so is nothing.
    let longer = [CONTENT, b"!"].concat();
    for content in [&b"THE content of a data file"[..], &longer, b""] {
        let reason = failure(ok(packed(content)));
        assert!(
            reason.ends_with(&format!("must be {}", FILE.sha256)),
            "{reason}"
        );
    }
}

#[test]
fn no_gzip() {
    let reason = failure(ok(b"<html>Sign in to this network</html>".to_vec()));
    assert!(reason.contains("gzip"), "{reason}");
}

#[test]
fn more_than_the_file_holds() {
    let reason = failure(ok(vec![0; 2 * 1024]));
    assert_eq!(reason, "more than 1050 bytes");
}

#[test]
fn http_errors() {
    for (status, code) in [("404 Not Found", "404"), ("503 Service Unavailable", "503")] {
        let reason = failure((status, 0, Vec::new()));
        assert!(reason.contains(code), "{reason}");
    }
}

#[test]
fn a_connection_that_breaks_off() {
    let whole = packed(CONTENT);
    failure(("200 OK", whole.len(), whole[..whole.len() / 2].to_vec()));
    // A truncated file that the server takes for whole.
    failure(ok(whole[..whole.len() - 3].to_vec()));
}

#[test]
fn the_mirror_helps_out() {
    let (broken, asked) = serve(Answers::new());
    let (good, _) = serve(Answers::from([("/data/letters.gz", ok(packed(CONTENT)))]));
    let dir = tempfile::tempdir().unwrap();
    let mirrors = [broken.as_str(), &format!("{good}/data/")];
    LETTERS.ensure_from(dir.path(), &mirrors).unwrap();
    assert_eq!(*asked.lock().unwrap(), ["/letters.gz"]);
    assert!(target(&dir).is_file());
}

#[test]
fn nobody_answers() {
    // A port that was free a moment ago.
    let address = format!(
        "http://{}",
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    );
    let dir = tempfile::tempdir().unwrap();
    let error = LETTERS.ensure_from(dir.path(), &[&address]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot be downloaded: http://127.0.0.1:"),
        "{error}"
    );
}

#[test]
fn the_packed_file_itself_may_be_pinned() {
    let bytes = packed(CONTENT);
    let pinned = |sha256| PublishedFile {
        is_of_packed: true,
        bytes: bytes.len() as u64,
        sha256,
        ..FILE
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &bytes).unwrap();
    let (actual, size) = sha256(file.path(), &pinned("")).unwrap();
    assert_eq!(size, bytes.len() as u64);
    assert_ne!(actual, FILE.sha256);
}

/// The archive of reviews is fetched as the digits are.
#[test]
fn the_archive_of_reviews_is_fetched_and_verified() {
    let body = ok(packed(b"not the published archive"));
    let (address, asked) = serve(Answers::from([("/aclImdb_v1.tar.gz", body)]));
    let dir = tempfile::tempdir().unwrap();
    let error = imdb::PUBLISHED
        .ensure_from(dir.path(), &[&address])
        .unwrap_err();
    assert_eq!(*asked.lock().unwrap(), ["/aclImdb_v1.tar.gz"]);
    assert_eq!(error.path, dir.path().join("imdb/aclImdb_v1.tar.gz"));
    assert!(error.to_string().contains("must be c40f74a1"), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("imdb")).unwrap().count(), 0);

    // Where there is an archive, nothing is fetched.
    fs::write(dir.path().join(imdb::ARCHIVE), "an archive").unwrap();
    imdb::PUBLISHED
        .ensure_from(dir.path(), &[&address])
        .unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);
}

/// Runs where `QUINTET_DATA_DIR` names the real files.
#[test]
fn the_pinned_checksums_are_those_of_mnist() {
    let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
        return;
    };
    for file in mnist::PUBLISHED.files {
        let packed = mnist::PUBLISHED.places(Path::new(&data_dir), file.name)[0].clone();
        let expected = (file.sha256.to_owned(), file.bytes);
        assert_eq!(sha256(&packed, file).unwrap(), expected);
    }
}
