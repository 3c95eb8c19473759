//! Where generated images are written: beside their place first, and moved there when all of them
//! are whole.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::failure::Failure;

/// Endings of other formats than ours; a folder of such a name is hardly meant.
const OTHER_FORMATS: [&str; 7] = ["bmp", "gif", "jpeg", "jpg", "svg", "tiff", "webp"];
/// How the names of what is not whole yet begin.
const PREFIX: &str = ".quintet-";

/// What `--out` names.
#[derive(Debug)]
pub(super) enum Destination {
    Sheet(Sheet),
    Folder(Folder),
}

/// One file with all images.
#[derive(Debug)]
pub(super) struct Sheet {
    path: PathBuf,
    staged: NamedTempFile,
}

/// A file for each image.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether it was there before.
    exists: bool,
    staged: TempDir,
    names: Vec<String>,
    /// Digits of a file's number.
    width: usize,
}

/// Something beside the destination that is removed unless it is moved there. What is written has
/// the usual permissions, those of the user's mask, and not a temporary file's own.
fn staging(permissions: &Permissions) -> Builder<'_, '_> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).permissions(permissions.clone());
    builder
}

/// The folder that holds this file or folder.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Names the destination. An error of what is staged would name that beside its kind, which would
/// only confuse.
fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let reason = match error.get_ref() {
        Some(_) if error.kind() == io::ErrorKind::NotFound && !parent(path).is_dir() => {
            format!("there is no folder {}", parent(path).display())
        }
        Some(_) if error.kind() == io::ErrorKind::NotFound => {
            format!("{} takes no files", parent(path).display())
        }
        Some(_) => error.kind().to_string(),
        None => error.to_string(),
    };
    Failure::new(format!("cannot write {}: {reason}", path.display()))
}

impl Destination {
    /// An existing folder, a `.png` file, or else a new folder for `count` images.
    /// What cannot be written shows here, before any image is made.
    pub(super) fn open(path: &Path, count: u32) -> Result<Self, Failure> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let extension = extension.to_ascii_lowercase();
        let exists = path.is_dir();
        if !exists && extension == "png" {
            return Sheet::create(path).map(Self::Sheet);
        }
        if !exists && (OTHER_FORMATS.contains(&&*extension) || path.as_os_str() == "-") {
            let message = format!(
                "--out {}: name a .png file for a sheet, or a folder for a file each",
                path.display()
            );
            return Err(Failure::usage(message));
        }
        Folder::create(path, exists, count).map(Self::Folder)
    }
}

impl Sheet {
    fn create(path: &Path) -> Result<Self, Failure> {
        let staged = staging(&Permissions::from_mode(0o666)).tempfile_in(parent(path));
        Ok(Self {
            staged: staged.map_err(|error| cannot_write(path, &error))?,
            path: path.to_owned(),
        })
    }

    /// Writes the file.
    pub(super) fn write(mut self, png: &[u8]) -> Result<(), Failure> {
        let written = self.staged.write_all(png);
        written
            .and_then(|()| self.staged.persist(&self.path).map_err(|it| it.error))
            .map_err(|error| cannot_write(&self.path, &error))?;
        Ok(())
    }
}

impl Folder {
    fn create(path: &Path, exists: bool, count: u32) -> Result<Self, Failure> {
        let beside = if exists { path } else { parent(path) };
        let staged = match fs::symlink_metadata(path) {
            Ok(_) if !exists => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            _ => staging(&Permissions::from_mode(0o777)).tempdir_in(beside),
        };
        Ok(Self {
            path: path.to_owned(),
            exists,
            staged: staged.map_err(|error| cannot_write(path, &error))?,
            names: Vec::new(),
            width: (count - 1).to_string().len().max(4),
        })
    }

    /// Takes the next image, and gives the name of its file.
    pub(super) fn add(&mut self, digit: u32, png: &[u8]) -> Result<String, Failure> {
        let (number, width) = (self.names.len(), self.width);
        let name = format!("{number:0width$}-digit-{digit}.png");
        let path = self.path.join(&name);
        fs::write(self.staged.path().join(&name), png)
            .map_err(|error| cannot_write(&path, &error))?;
        self.names.push(name);
        Ok(path.display().to_string())
    }

    /// Moves all files to their place.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let staged = self.staged.path();
        if !self.exists {
            fs::rename(staged, &self.path).map_err(|error| cannot_write(&self.path, &error))?;
            // There is nothing left to remove.
            let _ = self.staged.keep();
            return Ok(());
        }
        for name in &self.names {
            let path = self.path.join(name);
            fs::rename(staged.join(name), &path).map_err(|error| cannot_write(&path, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a folder, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn folder(path: &Path, count: u32) -> Folder {
        match Destination::open(path, count).unwrap() {
            Destination::Folder(folder) => folder,
            Destination::Sheet(sheet) => panic!("{sheet:?}"),
        }
    }

    #[test]
    fn a_sheet_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.PNG");
        for content in ["one", "two"] {
            let Destination::Sheet(sheet) = Destination::open(&path, 1).unwrap() else {
                panic!("a folder");
            };
            sheet.write(content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        drop(Destination::open(&path, 1).unwrap());
        assert_eq!(names(dir.path()), ["a.PNG"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let usual = dir.path().join("usual");
        fs::write(&usual, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&usual));
    }

    #[test]
    fn a_new_folder_appears_with_all_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("digits");
        let mut staged = folder(&path, 2);
        assert_eq!(
            staged.add(3, b"a").unwrap(),
            path.join("0000-digit-3.png").display().to_string()
        );
        staged.add(9, b"b").unwrap();
        assert!(!path.exists());
        staged.finish().unwrap();
        assert_eq!(names(&path), ["0000-digit-3.png", "0001-digit-9.png"]);
        assert_eq!(names(dir.path()), ["digits"]);

        drop(folder(&dir.path().join("other"), 2));
        assert_eq!(names(dir.path()), ["digits"]);
    }

    #[test]
    fn an_existing_folder_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("00000-digit-1.png"), "old").unwrap();
        fs::write(dir.path().join("mine"), "").unwrap();
        let mut staged = folder(dir.path(), 10_001);
        staged.add(1, b"new").unwrap();
        staged.finish().unwrap();
        assert_eq!(names(dir.path()), ["00000-digit-1.png", "mine"]);
        assert_eq!(
            fs::read(dir.path().join("00000-digit-1.png")).unwrap(),
            b"new"
        );
    }

    #[test]
    fn what_cannot_be_written_shows_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [
            file,
            dir.path().join("sheet.jpg"),
            dir.path().join("no/sheet.png"),
            dir.path().join("no/folder"),
            "-".into(),
        ] {
            let failure = Destination::open(&path, 1).unwrap_err();
            assert!(format!("{failure:?}").contains(&path.display().to_string()));
        }
        assert_eq!(names(dir.path()), ["file"]);
    }
}
