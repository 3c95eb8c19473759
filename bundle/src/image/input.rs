//! A picture to a row of a model's input tensor.

use super::{Framing, ImageSpec, Pixels};
use crate::{DataType, Dim, Manifest, ManifestError, Role};

/// What a model's input of role `pixels` takes: the pre-processing, and how the tensor holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageInput {
    /// How a picture becomes pixels.
    pub spec: ImageSpec,
    layout: Layout,
    datatype: DataType,
}

/// Where the channels stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `[N, height, width, channels]`, or without the last where there is one.
    Nhwc,
    /// `[N, channels, height, width]`.
    Nchw,
}

impl ImageInput {
    /// The input of a manifest's model.
    ///
    /// # Errors
    /// [`ManifestError`]: the pre-processing is not of images, or no input of role `pixels` has its
    /// shape.
    pub fn of(manifest: &Manifest) -> Result<Self, ManifestError> {
        let spec: ImageSpec = manifest.spec()?;
        let missing = || ManifestError::field("inputs", "without role pixels", "one of that role");
        let input = manifest.input(Role::Pixels).ok_or_else(missing)?;
        let shape: Vec<usize> = input.shape[1..]
            .iter()
            // No picture has a side of 0.
            .map(|dim| if let Dim::Fixed(size) = dim { *size } else { 0 })
            .collect();
        let (height, width, channels) = (spec.height, spec.width, spec.channels.count());
        let layout =
            if shape == [height, width, channels] || channels == 1 && shape == [height, width] {
                Layout::Nhwc
            } else if shape == [channels, height, width] {
                Layout::Nchw
            } else {
                let field = format!("inputs.{}.shape", input.name);
                let pixels = format!("of {height}x{width} pixels of {channels} channels");
                let allowed = format!("{pixels}, NHWC or NCHW");
                return Err(ManifestError::field(field, input.shape_text(), allowed));
            };
        Ok(Self {
            spec,
            layout,
            datatype: input.datatype,
        })
    }

    /// Whether a row holds pixels as [`ImageSpec::fit`] gives them.
    pub fn is_plain(&self) -> bool {
        let interleaved = self.layout == Layout::Nchw && self.spec.channels.count() > 1;
        self.datatype == DataType::Uint8 && !interleaved
    }

    /// A picture of the spec's channels as a row: little-endian elements.
    pub fn row(&self, picture: Pixels, framing: Framing) -> Vec<u8> {
        self.elements(self.spec.fit(picture, framing).pixels)
    }

    /// Pixels that fit, as a row.
    pub fn elements(&self, mut pixels: Vec<u8>) -> Vec<u8> {
        let channels = self.spec.channels.count();
        if self.layout == Layout::Nchw && channels > 1 {
            let plane = |channel| pixels.iter().skip(channel).step_by(channels).copied();
            pixels = (0..channels).flat_map(plane).collect();
        }
        match self.datatype {
            DataType::Uint8 => pixels,
            _ => pixels
                .iter()
                .flat_map(|&level| f32::from(level).to_le_bytes())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Channels, Filter, Fit, Margins, WHITE};
    use crate::{Preprocessing, TensorSpec};

    fn input(datatype: DataType, dims: &[usize]) -> Result<ImageInput, ManifestError> {
        let mut manifest =
            Manifest::from_toml(include_str!("../../tests/data/manifest_v1.toml")).unwrap();
        let spec = ImageSpec {
            width: 2,
            height: 1,
            channels: Channels::Rgb,
            fit: Fit::Squash {
                filter: Filter::Bilinear,
            },
            background: WHITE,
        };
        manifest.preprocessing = Some(Preprocessing::of(&spec));
        let shape: Vec<Dim> = std::iter::once("N".into())
            .chain(dims.iter().map(|&dim| dim.into()))
            .collect();
        manifest.inputs = vec![TensorSpec::of_role(Role::Pixels, datatype, shape)];
        ImageInput::of(&manifest)
    }

    fn row(datatype: DataType, dims: &[usize]) -> Vec<u8> {
        let picture = Pixels {
            margins: Margins::default(),
            width: 2,
            height: 1,
            channels: Channels::Rgb,
            data: vec![1, 2, 3, 4, 5, 6],
        };
        input(datatype, dims).unwrap().row(picture, Framing::Auto)
    }

    #[test]
    fn layouts_and_types() {
        assert_eq!(row(DataType::Uint8, &[1, 2, 3]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(row(DataType::Uint8, &[3, 1, 2]), [1, 4, 2, 5, 3, 6]);
        let floats: Vec<u8> = [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]
            .iter()
            .flat_map(|level| level.to_le_bytes())
            .collect();
        assert_eq!(row(DataType::Float32, &[3, 1, 2]), floats);
        assert!(input(DataType::Uint8, &[1, 2, 3]).unwrap().is_plain());
        assert!(!input(DataType::Uint8, &[3, 1, 2]).unwrap().is_plain());
    }

    #[test]
    fn another_shape_is_refused() {
        let error = input(DataType::Uint8, &[2, 2, 3]).unwrap_err().to_string();
        assert_eq!(
            error,
            "inputs.pixels.shape is [N, 2, 2, 3], must be of 1x2 pixels of 3 channels, NHWC or NCHW"
        );
    }
}
