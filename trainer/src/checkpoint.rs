//! Checkpoints: named tensors in one safetensors file, written atomically.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use tch::{Device, Tensor};

use crate::error::Error;

/// Named tensors, on their way to or from a file.
#[derive(Debug, Default)]
pub struct Checkpoint {
    tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// Adds `tensors`, their names behind `prefix` and a dot.
    pub fn insert(&mut self, prefix: &str, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        for (name, tensor) in tensors {
            let tensor = tensor.detach().to_device(Device::Cpu);
            self.tensors.insert(format!("{prefix}.{name}"), tensor);
        }
    }

    /// Adds one tensor.
    pub fn insert_tensor(&mut self, name: &str, tensor: Tensor) {
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// Adds one number.
    pub fn insert_number(&mut self, name: &str, number: f64) {
        self.insert_tensor(name, Tensor::from_slice(&[number]));
    }

    /// A tensor by its name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Copies the tensors behind `prefix` into `targets`, which keep their devices.
    pub fn restore(
        &self,
        prefix: &str,
        targets: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<(), Error> {
        for (name, mut target) in targets {
            let name = format!("{prefix}.{name}");
            let source = self.get(&name, &target.size())?;
            tch::no_grad(|| target.copy_(source));
        }
        Ok(())
    }

    /// A number put in by [`Checkpoint::insert_number`].
    pub fn number(&self, name: &str) -> Result<f64, Error> {
        Ok(self.get(name, &[1])?.double_value(&[0]))
    }

    fn get(&self, name: &str, shape: &[i64]) -> Result<&Tensor, Error> {
        let actual = match self.tensors.get(name) {
            Some(tensor) if tensor.size() == shape => return Ok(tensor),
            Some(tensor) => format!("{:?}", tensor.size()),
            None => "absent".to_owned(),
        };
        let reason = format!("checkpoint: tensor {name} is {actual}, expected {shape:?}");
        Err(Error::Training(reason))
    }

    /// Writes a temporary file beside `path` and renames it, so a kill leaves the old file or the
    /// new one. Two processes may write the same file.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = self.write_to(&temporary, path);
        if written.is_err() {
            // The error is reported already.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write_to(&self, temporary: &Path, path: &Path) -> Result<(), Error> {
        let tensors: Vec<_> = self.tensors.iter().collect();
        Tensor::write_safetensors(&tensors, temporary).map_err(Error::file(path))?;
        File::open(temporary)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(temporary, path))
            .map_err(Error::file(path))
    }

    /// Reads a file that [`Checkpoint::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, Error> {
        File::open(path).map_err(Error::file(path))?;
        let tensors = Tensor::read_safetensors(path).map_err(Error::file(path))?;
        Ok(Self {
            tensors: tensors.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Architecture, CNN, MLP};
    use crate::network::Network;

    fn network(architecture: &'static Architecture) -> Network {
        Network::new(architecture, &architecture.recipe(), Device::Cpu)
    }

    #[test]
    fn weights_and_numbers_come_back_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let written = network(&MLP);
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert("weights", written.weights());
        checkpoint.insert_number("epoch", 0.1);
        checkpoint.write(&path).unwrap();

        let read = Checkpoint::read(&path).unwrap();
        let network = network(&MLP);
        read.restore("weights", network.weights()).unwrap();
        for ((name, left), (_, right)) in written.weights().iter().zip(network.weights()) {
            assert_eq!(left, &right, "{name}");
        }
        assert_eq!(read.number("epoch").unwrap().to_bits(), 0.1_f64.to_bits());
    }

    #[test]
    fn another_networks_weights_are_refused() {
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert("weights", network(&MLP).weights());
        let cnn = network(&CNN);
        let message = checkpoint
            .restore("weights", cnn.weights())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("weights.conv1.bias is absent, expected [32]"),
            "{message}"
        );
    }

    #[test]
    fn an_absent_and_a_broken_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best.safetensors");
        assert!(matches!(Checkpoint::read(&path), Err(Error::File { .. })));
        fs::write(&path, "not safetensors").unwrap();
        let message = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(message.contains("best.safetensors"), "{message}");
    }
}
