//! The help texts, pinned.

use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

fn help(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command
        .env_remove("QUINTET_SERVER")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    let output = command
        .args(args)
        .arg("--help")
        .output()
        .expect("quintet runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("the help is UTF-8")
}

/// The options of the connection: all commands have the same, which `quintet`'s own help pins.
fn connection(help: &str) -> &str {
    let start = help.find("Connection:").expect("each help has them");
    let length = help[start..].find("\n\n");
    length.map_or(&help[start..], |length| &help[start..start + length])
}

fn check(args: &[&str], expected: &Expect) {
    let (whole, all) = (help(args), help(&[]));
    let section = connection(&whole).trim_end();
    assert_eq!(section, connection(&all));
    expected.assert_eq(&whole.replace(section, "Connection: ..."));
}

#[test]
fn quintet() {
    expect![[r#"
        Call a Quintet model server

        Usage: quintet [OPTIONS] <COMMAND>

        Commands:
          classify       Name what is in images (PNG, JPEG or WebP files)
          sentiment      Say of texts how well they speak of their subject
          classify-text  Classify texts, or pairs of texts, by any text classifier
          generate       Make images of handwritten digits that nobody wrote
          models         List the models that the server has
          health         Say whether the server, or one model, takes calls; exit code 0 only if it does
          evaluate       Measure a model's accuracy and speed on a public test set, through the server
          bench          Put load on the server, and measure its throughput and latency
          help           Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Connection:
              --server <URL>            The server: http://host:port, https://host:port, unix:///path,
                                        dns:///host:port, or host:port for short [env: QUINTET_SERVER]
                                        [default: http://127.0.0.1:50051]
              --timeout <TIME>          The most time for one call, retries included: 500ms, 10s or 2m
                                        [default: 10s]
              --tls                     Use TLS for host:port and dns:///host:port too; so does each option
                                        of TLS
              --tls-ca <FILE>           The certificates of the authorities to trust, as PEM [default: the
                                        system's] [env: QUINTET_CLIENT_TLS_CA]
              --tls-cert <FILE>         The client's own certificate with its chain, as PEM, for a server
                                        that asks for one [env: QUINTET_CLIENT_TLS_CERT]
              --tls-key <FILE>          The private key of --tls-cert, as PEM [env: QUINTET_CLIENT_TLS_KEY]
              --tls-server-name <NAME>  The name that the server's certificate must have [default: the host
                                        of --server] [env: QUINTET_CLIENT_TLS_SERVER_NAME]
              --token-file <FILE>       A file with the token to send with each call [default: what
                                        QUINTET_TOKEN holds] [env: QUINTET_TOKEN_FILE]
              --token-in-plain-text     Let the token go over the network in plain text, where others may
                                        read it
              --compression <KIND>      Compress requests of 1 KiB and more, and ask for compressed answers
                                        [possible values: gzip]
              --metadata <KEY=VALUE>    Metadata to send with each call, such as x-request-id=17; may be
                                        repeated. What TRACEPARENT holds is sent as traceparent

        Exit codes:
          0    done
          1    failed: no server, a refused request, an unreadable file, a model that is not serving
          2    wrong usage
          3    not allowed: no token, one that the server does not know, or one without the permission
          130  interrupted with Ctrl-C
    "#]]
    .assert_eq(&help(&[]));
}

#[test]
fn usage_asks_for_nothing_that_the_environment_sets() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command.env("QUINTET_SERVER", "http://127.0.0.1:1");
    command.env("QUINTET_CLIENT_TLS_CA", "ca.pem");
    let output = command.arg("classify").output().expect("quintet runs");
    assert_eq!(output.status.code(), Some(2));
    expect![[r"
        error: the following required arguments were not provided:
          <IMAGE>...

        Usage: quintet classify <IMAGE>...

        For more information, try '--help'.
    "]]
    .assert_eq(&String::from_utf8(output.stderr).expect("the error is UTF-8"));
}

#[test]
fn classify() {
    check(
        &["classify"],
        &expect![[r#"
            Name what is in images (PNG, JPEG or WebP files)

            Usage: quintet classify [OPTIONS] <IMAGE>...

            Arguments:
              <IMAGE>...  Image files; - reads one from stdin. All are read before any is sent

            Options:
                  --model <MODEL>      The model's name [default: the server's default classifier]
                  --version <VERSION>  The model's version [default: the newest that is ready]
                  --top-k <K>          How many labels to print for an image [default: 1]
                  --framing <FRAMING>  How a picture becomes the model's input: auto finds the digit or the
                                       garment in it and frames it as MNIST or Fashion-MNIST does, none takes
                                       the pixels as they are [default: auto] [possible values: auto, none]
                  --strict             Fail at an image in which there is nothing to read, instead of printing
                                       "no digit found" or "nothing to read"
                  --show-frame         Draw what the model saw of each image, and print what was found in it
                                       beside the digit
                  --json               Print JSON
              -h, --help               Print help

            Connection: ...

            With --json, one object:
              predictions[]  in the order of the arguments: image (the argument), model, version,
                             readable (whether there is anything to read),
                             labels[] with name, index and probability, the most probable first; none where
                             there is nothing to read,
                             explanation with ink_found, polarity (dark_on_light or light_on_dark), dropped[]
                             with kind and count, of which a neighbour is what may be another digit, and with
                             --show-frame frame (width, height, channels, pixels[])
              requests[]     in the order sent: model, version, images (how many),
                             timing with preprocess_us, queue_us, compute_us (microseconds) and batch_size
        "#]],
    );
}

#[test]
fn classify_text() {
    check(
        &["classify-text"],
        &expect![[r#"
            Classify texts, or pairs of texts, by any text classifier

            Usage: quintet classify-text [OPTIONS] <TEXT>...

            Arguments:
              <TEXT>...  Texts; - reads one from each line of stdin, of at most 1 MiB, and answers as they come

            Options:
                  --text-pair <TEXT>   The second text of a pair with each of the texts, such as the hypothesis
                                       that they may entail
                  --model <MODEL>      The model's name [default: the server's default text classifier]
                  --version <VERSION>  The model's version [default: the newest that is ready]
                  --top-k <K>          How many labels to print for a text [default: 1]
                  --logits             Print the logits, too
                  --strict             Fail at a text with more tokens than the model reads, instead of cutting
                                       it
                  --json               Print JSON, one object a line
              -h, --help               Print help

            Connection: ...

            Prints each text's most probable labels with their probabilities, and the text's start, in the order
            of the texts; of a model that gives numbers instead, the numbers. An empty line is an empty text.
            The first failure ends it, with the texts before answered. Notes on stderr name the texts that were
            cut.
            With --json, one object a text:
              line (its number in stdin), text, text_pair, labels[] with name, index and probability, logits[],
              tokens (that the model read), truncated (whether there were more), model, version
        "#]],
    );
}

#[test]
fn sentiment() {
    check(
        &["sentiment"],
        &expect![[r#"
            Say of texts how well they speak of their subject

            Usage: quintet sentiment [OPTIONS] <TEXT>...

            Arguments:
              <TEXT>...  Texts; - reads one from each line of stdin, of at most 1 MiB, and answers as they come

            Options:
                  --model <MODEL>      The model's name [default: the server's default sentiment model]
                  --version <VERSION>  The model's version [default: the newest that is ready]
                  --strict             Fail at a text of which the model knows no word, instead of printing
                                       UNKNOWN
                  --json               Print JSON, one object a line
              -h, --help               Print help

            Connection: ...

            Prints each text's likelier label, its score, which is how probable the positive label is, and
            the text's start, in the order of the texts. An empty line is an empty text. The first failure
            ends it, with the texts before answered. Notes on stderr name the texts that were cut, or whose
            language the model hardly knows.
            With --json, one object a text:
              line (its number in stdin), text, label, score (0 to 1), tokens (that the model read),
              truncated (whether there were more), known_tokens (in the model's vocabulary),
              language_supported (whether at least half are known), model, version
        "#]],
    );
}

#[test]
fn models() {
    check(
        &["models"],
        &expect![[r#"
            List the models that the server has

            Usage: quintet models [OPTIONS]

            Options:
                  --json  Print JSON
              -h, --help  Print help

            Connection: ...

            With --json, one object:
              models[]  name, version, task, state, reason, is_default, architecture, labels[],
                        inputs[] and outputs[] with name, datatype and shape, device, instances,
                        max_batch_size, parameters, metrics, quantization (empty: float32)
            The states are loading, ready, unavailable and unknown; a reason is empty for a ready model.
        "#]],
    );
}

#[test]
fn generate() {
    check(
        &["generate"],
        &expect![[r#"
            Make images of handwritten digits that nobody wrote

            Usage: quintet generate [OPTIONS]

            Options:
                  --count <N>                How many images [default: 10]
                  --digit <0..9>             Only images of this digit [default: all digits, as they come]
                  --min-confidence <P>       How sure of its digit the classifier must be of each image, 0 to 1,
                                             and of turned, moved and smaller copies where the generator's
                                             bundle says so [default: 0.9 with --digit, else 0]
                  --seed <S>                 Decides every image, 0 to 2^64 - 1 [default: one that the server
                                             draws]
                  --model <MODEL>            The generator's name [default: the server's default generator]
                  --version <VERSION>        The generator's version [default: the newest that is ready]
                  --classifier <CLASSIFIER>  The name of the classifier that names the digits [default: the
                                             server's default classifier]
                  --out <PNG|DIR>            Where to write: a .png file for one sheet of all images, or a
                                             folder for a file each. Files of the same names are replaced, a
                                             folder that is not there is made [default: the terminal, where it
                                             can show images; nowhere with --json]
                  --no-preview               Show no images in the terminal
                  --json                     Print JSON, and show no images
              -h, --help                     Print help

            Connection: ...

            The same seed, models and options give the same files. With a digit, the server draws candidates
            and keeps those that its classifier calls so; it gives up after a bounded number of them. A folder
            takes larger counts than a sheet does, and its files are named by place and digit, such as
            0007-digit-3.png; --timeout then bounds the wait for the next images, not for all of them. Nothing
            is written before all images are there.
            With --json, one object:
              out, count, seed, candidates (drawn, those kept included), model, version, classifier,
              classifier_version, digits[] (how many images of 0, of 1, ... of 9), mean_confidence (0 to 1),
              images[] with index (which candidate of the seed), digit, confidence, and file (null on a
              sheet and without --out)
        "#]],
    );
}

#[test]
fn health() {
    check(
        &["health"],
        &expect![[r#"
            Say whether the server, or one model, takes calls; exit code 0 only if it does

            Usage: quintet health [OPTIONS]

            Options:
                  --model <MODEL>  Ask about this model and not the server as a whole
              -h, --help           Print help

            Connection: ...
        "#]],
    );
}

#[test]
fn evaluate() {
    check(
        &["evaluate"],
        &expect![[r#"
            Measure a model's accuracy and speed on a public test set, through the server

            Usage: quintet evaluate [OPTIONS]

            Options:
                  --data-dir <DIR>   Where the MNIST test set lies, DIR/mnist/ or DIR itself, packed (.gz) or
                                     not; Fashion-MNIST's, DIR/fashion-mnist/; and IMDB's aclImdb_v1.tar.gz,
                                     DIR/imdb/ or DIR itself
                  --texts <FILE>     Your own texts instead, or SST-2's: a line for each, of the text, a tab,
                                     and 0 or 1 for the model's first or second label
                  --model <MODEL>    The model's name [default: see below]
                  --limit <N>        Send only the first N images or texts; bad and good reviews alternate
                  --concurrency <N>  How many requests are under way at once [default: 32]
                  --json             Print JSON
              -h, --help             Print help

            Connection: ...

            An image classifier gets MNIST's test set, one image a request, or Fashion-MNIST's where its labels
            are garments; a text classifier gets the 25,000 test reviews of IMDB, 16 a request. Without --model,
            the default classifier is measured, and then, if the reviews are there, every text classifier of two
            labels that is ready; with --texts, every such text classifier. An answer of UNKNOWN is wrong.
            With --json, one object a model:
              model, version, images or texts, correct, accuracy (0 to 1), labels[], confusion (a row for each
              true label, of counts, one for each answered label), seconds, images_per_second or
              texts_per_second, unknown (texts answered so), mean_batch_size, concurrency
        "#]],
    );
}

#[test]
fn bench() {
    check(
        &["bench"],
        &expect![[r#"
            Put load on the server, and measure its throughput and latency

            Usage: quintet bench [OPTIONS]

            Options:
                  --model <MODEL>         The model's name [default: the server's default classifier]
                  --concurrency <N>       How many requests are under way at once [default: 64]; with --rate,
                                          the most [default: 4096]
                  --rate <N>              Send N requests a second, whether or not answers come, and measure
                                          each latency from the time at which the request was due. Without it,
                                          an answer makes room for the next request
                  --connections <N>       How many connections the requests are spread over [default: 1]
                  --stream                Send the requests of a connection on one ClassifyStream, of which a
                                          server has at most 256 under way, and not as a call each
                  --protocol <PROTOCOL>   quintet sends pictures and texts, or asks for digits; oip sends an
                                          image model's or a generator's input as a tensor, by the Open
                                          Inference Protocol's ModelInfer, to servers of other makes too, if
                                          --model names a model [default: quintet] [possible values: quintet,
                                          oip]
                  --duration <TIME>       How long to measure [default: 10s]
                  --warmup <TIME>         How long to send before that; may be 0s [default: 2s]
                  --rows-per-request <N>  How many images or texts a request holds, or digits it asks for
                                          [default: 1]
                  --data-dir <DIR>        Send MNIST's test set, which lies in DIR/mnist/ or DIR itself, or
                                          IMDB's test reviews, in DIR/imdb/ or DIR [default: noise; for texts,
                                          words without sense]
                  --images <DIR>          Send an image classifier the pictures in DIR, as the PNG, JPEG or WebP
                                          files that they are
                  --mix <MIX>             Which texts to send: reviews, sentences (their first ones), both in
                                          turn, or a number: as many words of reviews each [default: both]
                  --json                  Print JSON
              -h, --help                  Print help

            Connection: ...

            An image classifier is sent Classify, a text classifier SentimentScore, and a generator
            GenerateDigits, or noise with oip; a row is an image, a text or a generated image.
            With --json, one object:
              server, model, version, protocol, stream, compression (gzip or null),
              texts (the mix, or null without texts),
              concurrency (closed loop, else null), rate (open loop, else null),
              connections, rows_per_request, seconds, requests (answered), requests_per_second,
              rows_per_second, mean_batch_size (null with oip, whose answers do not say),
              latency_us, refused_latency_us (of RESOURCE_EXHAUSTED, or null) and lateness_us (open loop,
              or null) with p50, p90, p99, p99_9 and max in microseconds,
              errors with count and message by gRPC code, or LOST (with its connection, which
              is opened again), MALFORMED, RESET, UNSENT, UNANSWERED,
              generator_cpu_us_per_request, generator_cpu (1 is one core all the time)
        "#]],
    );
}
