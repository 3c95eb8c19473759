//! The review reader from outside. With `QUINTET_DATA_DIR` set to a folder with the archive, the
//! real one is read too.

use std::path::Path;

use quintet_data::imdb::{self, POSITIVE};

#[test]
fn an_absent_archive_says_where_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let message = imdb::load(folder.path(), |_, _| ())
        .unwrap_err()
        .to_string();
    for part in ["imdb/aclImdb_v1.tar.gz", "https://ai.stanford.edu/~amaas/"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn the_archive_may_lie_in_either_place() {
    for place in ["imdb", "."] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(place);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join(imdb::ARCHIVE), "no archive").unwrap();
        let error = imdb::load(folder.path(), |_, _| ()).unwrap_err();
        assert_eq!(error.path, path.join(imdb::ARCHIVE));
    }
}

#[test]
fn the_real_reviews() {
    let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
        return;
    };
    let imdb = imdb::load(Path::new(&data_dir), |_, _| ()).unwrap();
    for reviews in [&imdb.train, &imdb.test] {
        assert_eq!((reviews.texts.len(), reviews.len()), (25_000, 25_000));
        let good = reviews.labels.iter().filter(|&&label| label == POSITIVE);
        assert_eq!(good.count(), 12_500);
    }
    assert!(
        imdb.train.texts[0].starts_with("Story of a man who has unnatural feelings for a pig.")
    );
}
