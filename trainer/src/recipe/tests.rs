//! Recipes: what is built in, what is refused and how.

use super::*;
use crate::data::text::TokenizerSettings;
use crate::models::{Architecture, CNN, GAN, LSTM, MLP, NETWORKS};

fn original() -> Recipe {
    MLP.original().unwrap()
}

#[test]
fn built_in_recipes_are_valid_and_name_their_network() {
    for architecture in NETWORKS {
        let recipes = [Some(architecture.recipe()), architecture.original()];
        for recipe in recipes.into_iter().flatten() {
            recipe.validate(architecture).unwrap();
            assert_eq!(recipe.architecture, architecture.name);
            assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        }
    }
}

#[test]
fn original_recipes_are_those_of_the_original_programs() {
    let originals = NETWORKS.iter().filter_map(|it| Some((it, it.original()?)));
    for (architecture, recipe) in originals {
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
fn weights_are_stored_as_float16_unless_a_recipe_says_otherwise() {
    assert_eq!(original().storage, Storage::Float16);
    let stored_as = |storage: &str| {
        let text = format!("storage = {storage:?}\n{}", MLP.recipe);
        Recipe::parse(&text, "my.toml")
    };
    assert_eq!(stored_as("int8").unwrap().storage, Storage::Int8);
    let message = stored_as("int4").unwrap_err().to_string();
    for part in ["int4", "float32", "float16", "int8"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

/// What is said of the built-in recipe with `key` set to a TOML value.
fn refusal(architecture: &Architecture, key: &str, value: &str) -> String {
    let mut recipe: toml::Table = architecture.recipe.parse().unwrap();
    let value: toml::Table = format!("value = {value}").parse().unwrap();
    let mut keys = key.split('.').rev();
    let last = keys.next().unwrap();
    let tables: Vec<&str> = keys.rev().collect();
    let inner = tables.iter().fold(&mut recipe, |table, key| {
        let inner = table.entry(*key).or_insert(toml::Table::new().into());
        inner.as_table_mut().unwrap()
    });
    inner.insert(last.to_owned(), value["value"].clone());
    let recipe: Recipe = recipe.try_into().unwrap();
    recipe.validate(architecture).unwrap_err().to_string()
}

#[test]
fn values_out_of_range_are_named() {
    let mlp = [
        "epochs = 0 => epochs is 0, allowed: 1 to 10000",
        "batch_size = 0 => batch_size is 0, ",
        "validation_fraction = 1.0 => validation_fraction is 1, ",
        "optimizer.learning_rate = nan => optimizer.learning_rate is NaN, ",
        "optimizer.weight_decay = -1.0 => optimizer.weight_decay is -1, ",
        "optimizer.clip_norm = 0.0 => optimizer.clip_norm is 0, allowed: above 0",
        "optimizer.beta1 = 1.0 => optimizer.beta1 is 1, allowed: 0 to 0.999",
        "averaging.decay = 1.0 => averaging.decay is 1, ",
        "loss.label_smoothing = 2.0 => loss.label_smoothing is 2, ",
        "schedule.warmup_fraction = 1.5 => schedule.warmup_fraction is 1.5, ",
        "augmentation.flip = 1.5 => augmentation.flip is 1.5, allowed: 0 to 1",
        "augmentation.crop_pixels = 29 => augmentation.crop_pixels is 29, allowed: 0 to 28",
        "crop.chance = 0.5 => crop is there, allowed: no such table for mlp",
        "tokenizer.max_tokens = 9 => tokenizer is there, allowed: no such table for mlp",
    ];
    let lstm = [
        "crop.chance = 1.5 => crop.chance is 1.5, allowed: 0 to 1",
        "sequence_dropout.words = 0.95 => sequence_dropout.words is 0.95, ",
        "embedding.naive_bayes = -1.0 => embedding.naive_bayes is -1, ",
        "tokenizer.max_tokens = 0 => tokenizer.max_tokens is 0, allowed: 1 to 65536",
    ];
    let gan = [
        "validation_fraction = 0.1 => validation_fraction is 0.1, allowed: 0 for gan",
        "adversarial.gradient_penalty = -1.0 => adversarial.gradient_penalty is -1, ",
        "adversarial.top_part = 0.0 => adversarial.top_part is 0, allowed: above 0, up to 1",
        "adversarial.top_part = 1.5 => adversarial.top_part is 1.5, ",
        "adversarial.typical_part = nan => adversarial.typical_part is NaN, ",
        "adversarial.tuning.part = 0.0 => adversarial.tuning.part is 0, ",
        "adversarial.tuning.feature_matching.classifiers = 0 => \
         adversarial.tuning.feature_matching.classifiers is 0, allowed: 1 to 32",
        "adversarial.tuning.feature_matching.weights = [] => \
         adversarial.tuning.feature_matching.weights is empty, allowed: one table or more",
        "adversarial.tuning.feature_matching.weights = \
         [{ epochs = 1, distance = 0.0, entropy = -1.0, shares = 0.0 }] => \
         adversarial.tuning.feature_matching.weights.entropy is -1, ",
    ];
    for (architecture, cases) in [(&MLP, &mlp[..]), (&LSTM, &lstm), (&GAN, &gan)] {
        for case in cases {
            let (change, expected) = case.split_once(" => ").unwrap();
            let (key, value) = change.split_once(" = ").unwrap();
            let message = refusal(architecture, key, value);
            let expected = format!("recipe: {expected}");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
    let recipe = Recipe {
        seed: u64::MAX,
        ..original()
    };
    let message = recipe.validate(&MLP).unwrap_err().to_string();
    assert!(message.contains("seed is 18446744073709551615, "));
}

#[test]
fn a_network_that_learns_garments_is_shown_nothing_of_digits() {
    let digits = CNN.recipe();
    assert!(digits.outliers.is_some());
    let garments = CNN.trained_on("fashion-mnist").unwrap();
    assert_eq!(garments.recipe().outliers, None);
    garments.recipe().validate(garments).unwrap();
    let refused = digits.validate(garments).unwrap_err().to_string();
    assert!(refused.contains("outliers"), "{refused}");
}
