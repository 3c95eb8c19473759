//! The command line tool over TLS, with tokens and metadata.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use tonic::Status;

use crate::{
    quintet::{images, quintet, run},
    support::{FakeServer, certificates::Authority},
};

/// An authority's files: `ca.pem`, a client's `cert.pem` and `key.pem`, and a `token`.
struct Files(TempDir);

impl Files {
    fn new(authority: &Authority) -> Self {
        let files = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        let (certificate, key) = authority.issue("client");
        for (name, text) in [
            ("ca.pem", &*authority.pem()),
            ("cert.pem", &certificate),
            ("key.pem", &key),
            ("token", "secret\n"),
        ] {
            std::fs::write(files.path(name), text).expect("the folder can be written");
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The options that name files.
    fn args(&self, options: &[(&str, &str)]) -> Vec<String> {
        let args = options.iter().map(|(option, name)| {
            let path = self.path(name);
            [(*option).to_owned(), path.display().to_string()]
        });
        args.flatten().collect()
    }
}

const ALL: [(&str, &str); 4] = [
    ("--tls-ca", "ca.pem"),
    ("--tls-cert", "cert.pem"),
    ("--tls-key", "key.pem"),
    ("--token-file", "token"),
];

async fn run_with(server: &str, args: &[&str], more: &[String]) -> crate::quintet::Finished {
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    run(server, &[args, &more].concat()).await
}

#[tokio::test]
async fn a_command_is_made_over_mutual_tls() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.mutual_server("localhost")).await;
    let files = Files::new(&authority);
    let (_folder, paths) = images(&["a.png"]);
    let args = ["classify", &paths[0], "--metadata", "x-team=a=b"];
    let finished = run_with(&server.url(), &args, &files.args(&ALL)).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let call = &server.calls()[0];
    assert_eq!(call.metadata("authorization"), Some("Bearer secret"));
    assert_eq!(call.metadata("x-team"), Some("a=b"));

    let finished = run_with(&server.url(), &args, &files.args(&ALL[..1])).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("certificate"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn the_token_can_come_from_the_environment_and_is_kept_from_plain_text() {
    let server = FakeServer::answering().await;
    let (_folder, paths) = images(&["a.png"]);
    let mut command = quintet(&server.url(), &["classify", &paths[0]]);
    let output = command.env("QUINTET_TOKEN", "secret").output().await;
    assert!(output.unwrap().status.success());
    let call = &server.calls()[0];
    assert_eq!(call.metadata("authorization"), Some("Bearer secret"));

    let mut command = quintet("http://models.example", &["health"]);
    let output = command.env("QUINTET_TOKEN", "secret").output().await;
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("in plain text"), "{stderr}");
    assert!(stderr.contains("--token-in-plain-text"), "{stderr}");
    assert!(!stderr.contains("secret"), "{stderr}");
}

#[tokio::test]
async fn who_is_not_allowed_is_told_so_by_a_code_of_its_own() {
    let (_folder, paths) = images(&["a.png"]);
    for (status, hint) in [
        (Status::unauthenticated("no token"), "--token-file"),
        (
            Status::permission_denied("scope"),
            "the token does not allow",
        ),
    ] {
        let server = FakeServer::refusing(status).await;
        let args = ["classify", &paths[0], "--metadata", "x-request-id=17"];
        let finished = run(&server.url(), &args).await;
        assert_eq!(finished.code, Some(3));
        assert!(finished.stderr.contains(hint), "{}", finished.stderr);
        let id = "\n  request id: answer to 17\n";
        assert!(finished.stderr.contains(id), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn bench_goes_over_tls_with_a_token_to_all_addresses_of_a_name() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.mutual_server("localhost")).await;
    let files = Files::new(&authority);
    let name = server.url().replace("https://", "dns:///");
    for url in [server.url(), name] {
        let args = "bench --duration 100ms --warmup 0s --json --metadata x-team=blue";
        let args: Vec<&str> = args.split_whitespace().collect();
        let finished = run_with(&url, &args, &files.args(&ALL)).await;
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(report["requests"].as_u64() > Some(0));
        assert_eq!(report["errors"], serde_json::json!({}));
        assert_eq!(report["server"], *url);
    }
    for call in server.calls() {
        assert_eq!(call.metadata("authorization"), Some("Bearer secret"));
        assert_eq!(call.metadata("x-team"), Some("blue"));
    }
    let plain = server.url().replace("https://", "http://");
    let finished = run(&plain, &["bench", "--timeout", "3s"]).await;
    assert_eq!(finished.code, Some(1));
    let reason = "https:// is for TLS";
    assert!(finished.stderr.contains(reason), "{}", finished.stderr);
}
