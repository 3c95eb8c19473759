//! Recipes: what is built in, what is refused and how.

use super::*;

fn steadied() -> Adversarial {
    Adversarial {
        label_smoothing: 0.1,
        gradient_penalty: 1.0,
        ..Adversarial::default()
    }
}

fn original() -> Recipe {
    Recipe::original(Architecture::Mlp)
}

#[test]
fn built_in_recipes_are_valid_and_name_their_network() {
    for architecture in Architecture::ALL {
        for recipe in [
            Recipe::built_in(architecture),
            Recipe::original(architecture),
        ] {
            recipe.validate().unwrap();
            assert_eq!(recipe.architecture, architecture);
            assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        }
    }
}

#[test]
fn original_recipes_are_those_of_the_original_programs() {
    for architecture in Architecture::ALL {
        let recipe = Recipe::original(architecture);
        let (epochs, batch_size, held_out) = match architecture {
            Architecture::Mlp | Architecture::Cnn => (5, 32, 0.2),
            Architecture::SimpleRnn | Architecture::Lstm => (3, 32, 0.2),
            Architecture::Gan => (10, 64, 0.0_f64),
        };
        assert_eq!((recipe.epochs, recipe.batch_size), (epochs, batch_size));
        assert_eq!(recipe.validation_fraction.to_bits(), held_out.to_bits());
        assert!(recipe.adversarial.is_none() && recipe.optimizer.beta1 > 0.89);
        assert!(recipe.augmentation.is_none() && recipe.averaging.is_none());
        assert!(recipe.sequence_dropout.is_none() && recipe.embedding.is_none());
        assert!(recipe.crop.is_none());
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
fn an_unknown_architecture_is_answered_with_the_known_ones() {
    let text = original().to_toml().replace("\"mlp\"", "\"vgg\"");
    let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
    for part in ["vgg", "mlp", "cnn"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn values_out_of_range_are_named() {
    type Change = fn(&mut Recipe);
    let cases: [(&str, Change); 19] = [
        ("epochs is 0, allowed: 1 to 10000", |r| {
            r.epochs = 0;
        }),
        ("batch_size is 0, ", |r| {
            r.batch_size = 0;
        }),
        ("seed is 18446744073709551615, ", |r| {
            r.seed = u64::MAX;
        }),
        ("validation_fraction is 1, ", |r| {
            r.validation_fraction = 1.0;
        }),
        ("optimizer.learning_rate is NaN, ", |r| {
            r.optimizer.learning_rate = f64::NAN;
        }),
        ("optimizer.weight_decay is -1, ", |r| {
            r.optimizer.weight_decay = -1.0;
        }),
        ("averaging.decay is 1, ", |r| {
            r.averaging = Some(Averaging { decay: 1.0 });
        }),
        ("loss.label_smoothing is 2, ", |r| {
            r.loss = Some(Loss {
                label_smoothing: 2.0,
            });
        }),
        ("schedule.warmup_fraction is 1.5, ", |r| {
            r.schedule = Some(Schedule {
                warmup_fraction: 1.5,
                final_fraction: 0.0,
            });
        }),
        ("optimizer.clip_norm is 0, allowed: above 0", |r| {
            r.optimizer.clip_norm = Some(0.0);
        }),
        (
            "sequence_dropout is there, allowed: no such table for mlp",
            |r| {
                r.sequence_dropout = Some(SequenceDropout::default());
            },
        ),
        ("crop is there, allowed: no such table for mlp", |r| {
            r.crop = Some(Crop { chance: 0.5 });
        }),
        ("crop.chance is 1.5, allowed: 0 to 1", |r| {
            r.architecture = Architecture::Lstm;
            r.crop = Some(Crop { chance: 1.5 });
        }),
        ("sequence_dropout.words is 0.95, ", |r| {
            r.architecture = Architecture::Lstm;
            r.sequence_dropout = Some(SequenceDropout {
                words: 0.95,
                ..SequenceDropout::default()
            });
        }),
        (
            "adversarial is there, allowed: no such table for mlp",
            |r| {
                r.adversarial = Some(steadied());
            },
        ),
        ("adversarial.gradient_penalty is -1, ", |r| {
            *r = Recipe::original(Architecture::Gan);
            r.adversarial = Some(Adversarial {
                gradient_penalty: -1.0,
                ..steadied()
            });
        }),
        ("validation_fraction is 0.1, allowed: 0 for gan", |r| {
            *r = Recipe::original(Architecture::Gan);
            r.validation_fraction = 0.1;
        }),
        ("optimizer.beta1 is 1, allowed: 0 to 0.999", |r| {
            r.optimizer.beta1 = 1.0;
        }),
        ("embedding.naive_bayes is -1, ", |r| {
            r.architecture = Architecture::SimpleRnn;
            r.embedding = Some(FirstEmbedding { naive_bayes: -1.0 });
        }),
    ];
    for (expected, change) in cases {
        let mut recipe = original();
        change(&mut recipe);
        let message = recipe.validate().unwrap_err().to_string();
        assert!(
            message.contains(expected),
            "{expected} is not in: {message}"
        );
    }
}

#[test]
fn parts_are_never_nothing() {
    let mut recipe = Recipe::original(Architecture::Gan);
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
        let message = recipe.validate().unwrap_err().to_string();
        assert!(
            message.contains("part is ") && message.contains("allowed: above 0, up to 1"),
            "{message}"
        );
    }
}

#[test]
fn the_schedule_rises_then_falls() {
    let mut recipe = original();
    assert_eq!(recipe.learning_rate(7, 10).to_bits(), 1e-3_f64.to_bits());
    recipe.schedule = Some(Schedule {
        warmup_fraction: 0.2,
        final_fraction: 0.1,
    });
    let rates: Vec<f64> = (0..100)
        .map(|step| recipe.learning_rate(step, 100))
        .collect();
    assert!((rates[0] - 1e-3 / 20.0).abs() < 1e-12);
    assert!((rates[19] - 1e-3).abs() < 1e-12 && (rates[20] - 1e-3).abs() < 1e-12);
    assert!(rates[..20].is_sorted() && rates[20..].iter().rev().is_sorted());
    assert!((rates[99] - 1e-4).abs() < 1e-5, "{}", rates[99]);
}
