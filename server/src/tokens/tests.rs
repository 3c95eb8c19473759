//! Files of callers, who is known by them, and what is allowed.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::error::CallerLimit;

const TOKEN: &str = "quintet-0123";

fn metrics() -> Metrics {
    Metrics::new("none")
}

fn tokens(entries: &str) -> Result<Tokens, String> {
    let table = Table::parse(entries.as_bytes(), &Table::default(), &metrics())?;
    Ok(Tokens(Current::new(table)))
}

/// An entry with this token and these further lines.
fn entry(name: &str, token: &str, lines: &str) -> String {
    let sha256 = Digest::of(token.as_bytes());
    format!("[[token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\n{lines}\n")
}

fn headers(authorization: &[&str]) -> HeaderMap {
    let values = authorization.iter().map(|value| {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (header::AUTHORIZATION, value)
    });
    values.collect()
}

/// The caller of [`TOKEN`].
fn caller(tokens: &Tokens) -> Arc<Caller> {
    let headers = headers(&[&format!("Bearer {TOKEN}")]);
    tokens.authenticate(&headers, None).unwrap()
}

fn authenticate(tokens: &Tokens, header: &str) -> Result<Arc<str>, ServeError> {
    let caller = tokens.authenticate(&headers(&[header]), None)?;
    Ok(Arc::clone(caller.name()))
}

#[test]
fn a_token_is_known_by_its_digest() {
    let tokens = tokens(&entry("a", TOKEN, "scopes = [\"infer\"]")).unwrap();
    for header in [
        format!("Bearer {TOKEN}"),
        format!("bearer  {TOKEN} "),
        format!("BEARER {TOKEN}"),
    ] {
        assert_eq!(&*authenticate(&tokens, &header).unwrap(), "a");
    }
    for (header, refusal) in [
        (format!("Bearer {TOKEN}4"), Unauthenticated::UnknownToken),
        (TOKEN.to_owned(), Unauthenticated::NoBearer),
        ("Bearer ".to_owned(), Unauthenticated::NoBearer),
        ("Basic dXNlcjpwYXNz".to_owned(), Unauthenticated::NoBearer),
        ("é".to_owned(), Unauthenticated::NoBearer),
        (String::new(), Unauthenticated::NoBearer),
    ] {
        assert_eq!(
            authenticate(&tokens, &header),
            Err(refusal.into()),
            "{header}"
        );
    }
    let nobody = tokens.authenticate(&headers(&[]), None).unwrap_err();
    assert_eq!(nobody, Unauthenticated::NoToken.into());
    let good = format!("Bearer {TOKEN}");
    let twice = tokens.authenticate(&headers(&[&good, &good]), None);
    assert_eq!(twice.unwrap_err(), Unauthenticated::Twice.into());
}

#[test]
fn a_certificate_is_known_by_its_name() {
    let file = "[[token]]\nname = \"b\"\ncertificate = \"spiffe://x/b\"\nscopes = [\"infer\"]\n";
    let tokens = tokens(&(entry("a", TOKEN, "scopes = [\"infer\"]") + file)).unwrap();
    let who = |header: Option<&str>, name: &str| {
        let identity = Identity(name.into());
        let caller = tokens.authenticate(&headers(header.as_slice()), Some(&identity));
        caller.map(|caller| caller.name().to_string())
    };
    assert_eq!(who(None, "spiffe://x/b").unwrap(), "b");
    assert_eq!(
        who(None, "spiffe://x/c"),
        Err(Unauthenticated::UnknownCertificate("spiffe://x/c".into()).into())
    );
    // A token wins, even a wrong one.
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(who(Some(&bearer), "spiffe://x/b").unwrap(), "a");
    let unknown = who(Some("Bearer x"), "spiffe://x/b");
    assert_eq!(unknown, Err(Unauthenticated::UnknownToken.into()));
}

#[test]
fn scopes_and_models() {
    let lines = "scopes = [\"infer\", \"metrics\"]\nmodels = [\"cnn\", \"mlp\"]";
    let tokens = tokens(&entry("a", TOKEN, lines)).unwrap();
    let caller = caller(&tokens);
    for access in [
        Access::Open,
        Access::Known,
        Access::Scope(Scope::Infer),
        Access::Scope(Scope::Metrics),
    ] {
        caller.check_access(access).unwrap();
    }
    let refusal = caller
        .check_access(Access::Scope(Scope::Control))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "caller `a` lacks the scope `control`, which this call needs"
    );
    caller.check_model("mlp").unwrap();
    let refusal = caller.check_model("gan").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "caller `a` may not use model `gan`; it may use cnn, mlp"
    );
}

#[test]
fn tokens_expire() {
    for (expires, is_known) in [
        ("2001-01-01", false),
        ("2001-01-01T12:00:00Z", false),
        ("2999-12-31", true),
        ("2999-12-31T12:00:00Z", true),
    ] {
        let lines = format!("scopes = [\"infer\"]\nexpires = {expires}");
        let tokens = tokens(&entry("a", TOKEN, &lines)).unwrap();
        let caller = authenticate(&tokens, &format!("Bearer {TOKEN}"));
        assert_eq!(caller.is_ok(), is_known, "{expires}");
        if let Err(refusal) = caller {
            assert_eq!(refusal, Unauthenticated::Expired.into());
        }
    }
}

#[test]
fn a_caller_is_asked_for_again_as_the_file_describes_it_now() {
    let entries = |lines: &str| entry("a", TOKEN, lines);
    let tokens = tokens(&entries("scopes = [\"infer\"]")).unwrap();
    let before = caller(&tokens);
    let set = |file: &str| {
        let table = Table::parse(file.as_bytes(), &tokens.0.get(), &metrics()).unwrap();
        tokens.0.set(table);
    };
    set(&entries("scopes = [\"infer\"]\nmodels = [\"cnn\"]"));
    assert!(before.may_use("mlp") && !tokens.again(&before).unwrap().may_use("mlp"));
    set(&entries("scopes = [\"infer\"]\nexpires = 2001-01-01"));
    let refusal = tokens.again(&before).unwrap_err();
    assert_eq!(refusal, Unauthenticated::Expired.into());
    set(&entry("a", "another", "scopes = [\"infer\"]"));
    let refusal = tokens.again(&before).unwrap_err();
    assert_eq!(refusal, Unauthenticated::Removed("a".into()).into());
}

#[test]
fn metadata_is_for_callers_of_grpc() {
    for (scope, is_allowed) in [("infer", true), ("control", true), ("metrics", false)] {
        let file = entry("a", TOKEN, &format!("scopes = [\"{scope}\"]"));
        let allowed = caller(&tokens(&file).unwrap()).check_access(Access::Known);
        assert_eq!(allowed.is_ok(), is_allowed, "{scope}");
    }
}

#[test]
fn files_that_are_refused() {
    let infer = "scopes = [\"infer\"]";
    for (file, problem) in [
        (
            entry("a b", TOKEN, infer),
            "token `a b`: name: 1 to 64 ASCII",
        ),
        (
            entry("a", TOKEN, "scopes = []"),
            "token `a`: scopes: one or more of infer, control and metrics are needed",
        ),
        (
            entry("a", TOKEN, "scopes = [\"all\"]"),
            "token `a`: scopes: one or more of",
        ),
        (entry("a", TOKEN, ""), "missing field `scopes`"),
        (
            entry("a", TOKEN, &format!("{infer}\nmodels = []")),
            "token `a`: models: is empty",
        ),
        (String::new(), "it has no [[token]]"),
        (
            entry("a", TOKEN, &format!("{infer}\nmodel = \"x\"")),
            "unknown field `model`",
        ),
        (
            entry("a", TOKEN, &format!("{infer}\nrate = 0")),
            "rate: is 0",
        ),
        (
            entry("a", TOKEN, &format!("{infer}\nrate = nan")),
            "rate: is NaN",
        ),
        (
            entry("a", TOKEN, &format!("{infer}\nmax_in_flight = 0")),
            "max_in_flight: is 0",
        ),
        (
            entry("a", TOKEN, &format!("{infer}\nexpires = 12:00:00")),
            "expires: is 12:00:00",
        ),
        (
            entry("a", TOKEN, infer) + &entry("a", "other", infer),
            "token `a`: there are two of this name",
        ),
        (
            entry("a", TOKEN, infer) + &entry("b", TOKEN, infer),
            "token `b`: has the same token or certificate as `a`",
        ),
        (
            format!("[[token]]\nname = \"a\"\n{infer}\n"),
            "one of sha256 and certificate",
        ),
        (
            format!("[[token]]\nname = \"a\"\nsha256 = \"ab\"\n{infer}\n"),
            "64 hex digits",
        ),
        (
            "[[tokens]]\nname = \"a\"\n".to_owned(),
            "unknown field `tokens`",
        ),
    ] {
        let refusal = tokens(&file).map(|_| ()).unwrap_err();
        assert!(refusal.contains(problem), "{refusal}");
    }
    // A token that stands where its digest belongs is not told.
    let file = format!("[[token]]\nname = \"a\"\nsha256 = \"{TOKEN}\"\nscope = \"{TOKEN}\"\n");
    let refusal = tokens(&file).map(|_| ()).unwrap_err();
    assert!(
        refusal.starts_with("line 4: unknown field `scope`"),
        "{refusal}"
    );
    assert!(!refusal.contains(TOKEN), "{refusal}");
    // Nor one that stands for a key.
    let file = format!("[[token]]\nname = \"a\"\n\"{TOKEN}\" = 1\n");
    let refusal = tokens(&file).map(|_| ()).unwrap_err();
    assert!(
        refusal.starts_with("line 3: unknown field, expected"),
        "{refusal}"
    );
    for lines in [
        format!("sha256 = \"{TOKEN}\"\nscopes = [\"infer\"]"),
        format!("sha256 = \"\"\nscopes = [\"{TOKEN}\"]"),
        format!("sha256 = \"\"\nscopes = \"{TOKEN}\""),
        format!("sha256 = \"\"\nscopes = []\nmodels = \"{TOKEN}\""),
        format!("sha256 = \"\"\nscopes = []\nrate = \"{TOKEN}\""),
    ] {
        let file = format!("[[token]]\nname = \"a\"\n{lines}\n");
        let refusal = tokens(&file).map(|_| ()).unwrap_err();
        assert!(!refusal.contains(TOKEN), "{refusal}");
    }
}

#[tokio::test]
async fn rows_in_flight_are_bounded_and_given_back() {
    let lines = "scopes = [\"infer\"]\nmax_in_flight = 10";
    let tokens = tokens(&entry("a", TOKEN, lines)).unwrap();
    let caller = caller(&tokens);
    let now = Instant::now();
    // Without rows in flight, a request of any size.
    drop(caller.admit(50, now).unwrap());
    let six = caller.admit(6, now).unwrap();
    let four = caller.admit(4, now).unwrap();
    let Err(ServeError::CallerLimit { limit, .. }) = caller.admit(1, now) else {
        panic!("more rows than allowed");
    };
    assert_eq!(
        limit.to_string(),
        "has 10 of at most 10 rows in flight, 1 more do not fit"
    );
    drop(six);
    drop(caller.admit(6, now).unwrap());
    drop(four);
}

#[tokio::test]
async fn what_a_caller_uses_outlives_a_change_of_the_file() {
    let file = |rate: u32| {
        let lines = format!("scopes = [\"infer\"]\nrate = {rate}\nmax_in_flight = 100");
        entry("a", TOKEN, &lines)
    };
    let before = Table::parse(file(10).as_bytes(), &Table::default(), &metrics()).unwrap();
    let proof = Proof::Token(Digest::of(TOKEN.as_bytes()));
    let now = Instant::now();
    let held = before.by_proof(&proof).unwrap().admit(10, now).unwrap();
    let after = Table::parse(file(20).as_bytes(), &before, &metrics()).unwrap();
    let caller = after.by_proof(&proof).unwrap();
    let Err(ServeError::CallerLimit {
        limit, retry_after, ..
    }) = caller.admit(1, now)
    else {
        panic!("the rate was used up before");
    };
    assert_eq!(limit, CallerLimit::Rate { rate: 20.0 });
    assert_eq!(retry_after, Duration::from_millis(51));
    // The rows of the refused request are not in flight.
    drop(held);
    drop(caller.admit(100, now + Duration::from_mins(1)).unwrap());
}

#[test]
fn a_new_token_fits_its_entry() {
    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        new: NewToken,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let new = |more: &[&str]| {
        let arguments = ["", "ci", "--scope", "infer", "--scope", "metrics"];
        let program: Program = clap::Parser::parse_from(arguments.iter().chain(more));
        program.new.create()
    };
    let limits = [
        "--model",
        "cnn",
        "--rate",
        "100",
        "--max-in-flight",
        "64",
        "--expires",
        "2999-01-31",
    ];
    let printed = new(&limits).unwrap();
    let (token, file) = printed.split_once("\n\n").unwrap();
    assert!(
        token.starts_with("quintet-") && token.len() == 8 + 64,
        "{token}"
    );
    let tokens = tokens(file).unwrap();
    let bearer = format!("Bearer {token}");
    let caller = tokens.authenticate(&headers(&[&bearer]), None).unwrap();
    assert_eq!(&**caller.name(), "ci");
    assert!(caller.may_use("cnn") && !caller.may_use("mlp"));
    assert_eq!((caller.rate, caller.max_in_flight), (Some(100.0), Some(64)));

    let out = ["--out", path.to_str().unwrap()];
    let entry = new(&out).unwrap();
    assert!(entry.starts_with("[[token]]"), "{entry}");
    let written = std::fs::read_to_string(&path).unwrap();
    let sha256 = Digest::of(written.trim().as_bytes()).to_string();
    assert!(entry.contains(&sha256), "{entry}");
    let again = new(&out).unwrap_err();
    assert!(again.to_string().contains("File exists"), "{again}");
}
