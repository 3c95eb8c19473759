//! A `tokenizer.json` of a bundle, then a text.

#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use quintet_bundle::text::{TextSpec, Tokenizer};

static HOOK: Once = Once::new();

fuzz_target!(|json: &[u8]| {
    // The fuzzer's hook aborts on panics that are caught, too; one that is not caught still ends
    // the run.
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    if let Ok(tokenizer) = Tokenizer::from_bytes(json) {
        // A tokeniser may have no token for a text.
        let _ = tokenizer.encode("A good film. [CLS] é", &TextSpec::end_of(16));
    }
});
