//! Recipes: what is built in, what is refused and how.

use super::*;
use crate::data::text::TokenizerSettings;
use crate::models::{Architecture, GAN, LSTM, MLP, NETWORKS, SIMPLE_RNN};

fn steadied() -> Adversarial {
    Adversarial {
        label_smoothing: 0.1,
        gradient_penalty: 1.0,
        ..Adversarial::default()
    }
}

fn original() -> Recipe {
    MLP.original().unwrap()
}

#[test]
fn built_in_recipes_are_valid_and_name_their_network() {
    for architecture in NETWORKS {
        for recipe in [architecture.recipe(), architecture.original().unwrap()] {
            recipe.validate(architecture).unwrap();
            assert_eq!(recipe.architecture, architecture.name);
            assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        }
    }
}

#[test]
fn original_recipes_are_those_of_the_original_programs() {
    for architecture in NETWORKS {
        let recipe = architecture.original().unwrap();
        let (epochs, batch_size, held_out) = match architecture.name {
            "mlp" | "cnn" => (5, 32, 0.2),
            "simple_rnn" | "lstm" => (3, 32, 0.2),
            _ => (10, 64, 0.0_f64),
        };
        assert_eq!((recipe.epochs, recipe.batch_size), (epochs, batch_size));
        assert_eq!(recipe.validation_fraction.to_bits(), held_out.to_bits());
        assert!(recipe.adversarial.is_none() && recipe.optimizer.beta1 > 0.89);
        assert!(recipe.augmentation.is_none() && recipe.averaging.is_none());
        assert!(recipe.sequence_dropout.is_none() && recipe.embedding.is_none());
        assert!(recipe.crop.is_none() && recipe.tokenizer.is_none());
    }
}

#[test]
fn an_unknown_key_is_named_with_those_allowed() {
    let text = original().to_toml().replace("weight_decay", "momentum");
    let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
    for part in ["my.toml", "momentum", "learning_rate", "weight_decay"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn a_wrong_type_and_an_absent_key_are_named() {
    let text = original()
        .to_toml()
        .replace("epochs = 5", "epochs = \"five\"");
    let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
    assert!(message.contains("epochs = \"five\""), "{message}");
    let text = original().to_toml().replace("batch_size = 32\n", "");
    let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
    assert!(message.contains("batch_size"), "{message}");
}

#[test]
fn a_recipe_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    fs::write(&path, original().to_toml()).unwrap();
    assert_eq!(Recipe::read(&path, &MLP).unwrap(), original());
    let message = Recipe::read(&path, &LSTM).unwrap_err().to_string();
    for part in ["my.toml", "architecture is mlp", "lstm is to be trained"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn the_tokeniser_has_defaults_for_what_a_recipe_leaves_out() {
    let recipe = LSTM.recipe();
    assert_eq!(recipe.tokenizer(), TokenizerSettings::default());
    let text = recipe.to_toml() + "[tokenizer]\nmax_tokens = 64\n";
    let settings = Recipe::parse(&text, "my.toml").unwrap().tokenizer();
    assert_eq!(
        (settings.vocabulary_size, settings.max_tokens),
        (10_000, 64)
    );
}

#[test]
fn values_out_of_range_are_named() {
    type Change = fn(&mut Recipe) -> &'static Architecture;
    let cases: [(&str, Change); 21] = [
        ("epochs is 0, allowed: 1 to 10000", |r| {
            r.epochs = 0;
            &MLP
        }),
        ("batch_size is 0, ", |r| {
            r.batch_size = 0;
            &MLP
        }),
        ("seed is 18446744073709551615, ", |r| {
            r.seed = u64::MAX;
            &MLP
        }),
        ("validation_fraction is 1, ", |r| {
            r.validation_fraction = 1.0;
            &MLP
        }),
        ("optimizer.learning_rate is NaN, ", |r| {
            r.optimizer.learning_rate = f64::NAN;
            &MLP
        }),
        ("optimizer.weight_decay is -1, ", |r| {
            r.optimizer.weight_decay = -1.0;
            &MLP
        }),
        ("averaging.decay is 1, ", |r| {
            r.averaging = Some(Averaging { decay: 1.0 });
            &MLP
        }),
        ("loss.label_smoothing is 2, ", |r| {
            r.loss = Some(Loss {
                label_smoothing: 2.0,
            });
            &MLP
        }),
        ("schedule.warmup_fraction is 1.5, ", |r| {
            r.schedule = Some(Schedule {
                warmup_fraction: 1.5,
                final_fraction: 0.0,
            });
            &MLP
        }),
        ("optimizer.clip_norm is 0, allowed: above 0, ", |r| {
            r.optimizer.clip_norm = Some(0.0);
            &MLP
        }),
        (
            "sequence_dropout is there, allowed: no such table for mlp",
            |r| {
                r.sequence_dropout = Some(SequenceDropout::default());
                &MLP
            },
        ),
        ("crop is there, allowed: no such table for mlp", |r| {
            r.crop = Some(Crop { chance: 0.5 });
            &MLP
        }),
        ("crop.chance is 1.5, allowed: 0 to 1", |r| {
            r.crop = Some(Crop { chance: 1.5 });
            &LSTM
        }),
        ("sequence_dropout.words is 0.95, ", |r| {
            r.sequence_dropout = Some(SequenceDropout {
                words: 0.95,
                ..SequenceDropout::default()
            });
            &LSTM
        }),
        (
            "adversarial is there, allowed: no such table for mlp",
            |r| {
                r.adversarial = Some(steadied());
                &MLP
            },
        ),
        ("adversarial.gradient_penalty is -1, ", |r| {
            *r = GAN.original().unwrap();
            r.adversarial = Some(Adversarial {
                gradient_penalty: -1.0,
                ..steadied()
            });
            &GAN
        }),
        ("validation_fraction is 0.1, allowed: 0 for gan", |r| {
            *r = GAN.original().unwrap();
            r.validation_fraction = 0.1;
            &GAN
        }),
        ("optimizer.beta1 is 1, allowed: 0 to 0.999", |r| {
            r.optimizer.beta1 = 1.0;
            &MLP
        }),
        ("embedding.naive_bayes is -1, ", |r| {
            r.embedding = Some(FirstEmbedding { naive_bayes: -1.0 });
            &SIMPLE_RNN
        }),
        ("tokenizer.max_tokens is 0, allowed: 1 to 65536", |r| {
            r.tokenizer = Some(TokenizerSettings {
                max_tokens: 0,
                ..TokenizerSettings::default()
            });
            &LSTM
        }),
        ("tokenizer is there, allowed: no such table for mlp", |r| {
            r.tokenizer = Some(TokenizerSettings::default());
            &MLP
        }),
    ];
    for (expected, change) in cases {
        let mut recipe = original();
        let architecture = change(&mut recipe);
        let message = recipe.validate(architecture).unwrap_err().to_string();
        assert!(
            message.contains(expected),
            "{expected} is not in: {message}"
        );
    }
}

#[test]
fn parts_are_never_nothing() {
    let mut recipe = GAN.original().unwrap();
    for (top_part, typical_part, tuned_part) in [
        (1.0, 0.0, 0.5),
        (1.5, 1.0, 0.5),
        (1.0, f64::NAN, 0.5),
        (1.0, 1.0, 0.0),
    ] {
        let tuning = Tuning {
            part: tuned_part,
            learning_rate: 1e-4,
            typical_part: 1.0,
        };
        recipe.adversarial = Some(Adversarial {
            top_part,
            typical_part,
            tuning: Some(tuning),
            ..steadied()
        });
        let message = recipe.validate(&GAN).unwrap_err().to_string();
        assert!(
            message.contains("part is ") && message.contains("allowed: above 0, up to 1"),
            "{message}"
        );
    }
}
