//! The price of a file in tokens, by the generation of the model, the file's type and size, and the
//! resolution at which the model looks at it.
//!
//! Sources: Google's pages "Media resolution" and "Understand and count tokens" of the Gemini API,
//! of September 2026.
//!
//! The length of a sound or a video is not in the request. It is estimated from the number of
//! bytes, and if that is unknown, one minute is assumed.

use crate::pricing::pixels::Pixels;

/// The names of the resolutions, from the lowest on. The index of one is a level.
pub(super) const RESOLUTIONS: &[&str] = &[
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
    "MEDIA_RESOLUTION_ULTRA_HIGH",
];

/// The models that read media alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Up to Gemini 2.5: images are cut into tiles.
    Tiles,
    /// Gemini 3 and later: a number of tokens for each resolution, whatever the size.
    Levels,
}

/// The type of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Type {
    /// No type is given.
    #[default]
    Unknown,
    Image,
    Audio,
    Video,
    Text,
    /// PDF, and anything else.
    Document,
}

impl Type {
    pub(super) fn of(mime: &str) -> Self {
        let is = |start: &str| mime.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
        match () {
            () if is("image/") => Self::Image,
            () if is("audio/") => Self::Audio,
            () if is("video/") => Self::Video,
            () if is("text/") => Self::Text,
            () => Self::Document,
        }
    }
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Media {
    /// True if there is a file, and not only what is said about one.
    pub(super) is_there: bool,
    pub(super) kind: Type,
    /// The size of an image.
    pub(super) size: Option<Pixels>,
    /// The length of its base64.
    pub(super) base64: Option<u64>,
    /// The index in `RESOLUTIONS`.
    pub(super) level: Option<usize>,
    /// The part of a video that is read, in seconds.
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    /// The frames of a video that are read a second, if that is not one.
    pub(super) frames: Option<u64>,
}

/// For a second of sound.
const SOUND: u64 = 32;

/// For a tile, a frame or a page, up to Gemini 2.5: at any resolution but the lowest, and at that.
const TILE: u64 = 258;
const LOW_TILE: u64 = 66;

/// The most tiles of an image: the page says "about 2 048" tokens.
const MOST_TILES: u64 = 8;

/// An image up to this size is one tile.
const SMALL: u32 = 384;

/// For an image, a frame of a video and a page, from Gemini 3 on: by level.
const IMAGE: [u64; 4] = [280, 560, 1_120, 2_240];
const FRAME: [u64; 4] = [70, 70, 280, 280];
const PAGE: [u64; 4] = [280, 560, 1_120, 1_120];

/// For the text of a page, besides its image: about 450 words of English. One page is an
/// assumption, since only the provider knows their number.
const PAGE_TEXT: u64 = 600;

/// Assumptions: 128 kbit of sound and 2 Mbit of video a second, in bytes.
const SOUND_BYTES: u64 = 16_000;
const VIDEO_BYTES: u64 = 250_000;

/// An assumption for files that the client does not have, in seconds.
const LENGTH: u64 = 60;

/// The characters of base64 that count as one token of text: three bytes. English has more.
const BASE64: u64 = 4;

impl Media {
    /// Returns the tokens of the file.
    pub(super) fn tokens(&self, generation: Generation) -> u64 {
        match self.kind {
            _ if !self.is_there => 0,
            Type::Unknown if self.size.is_some() => self.image(generation),
            Type::Image => self.image(generation),
            Type::Audio => self.seconds(SOUND_BYTES).saturating_mul(SOUND),
            Type::Video => {
                let frame = match generation {
                    Generation::Tiles => self.tile(),
                    Generation::Levels => FRAME[self.level.unwrap_or(0)],
                };
                let second = frame.saturating_mul(self.frames.unwrap_or(1)).saturating_add(SOUND);
                self.seconds(VIDEO_BYTES).saturating_mul(second)
            }
            Type::Text => self.base64.map_or(PAGE_TEXT, |length| length / BASE64),
            Type::Unknown | Type::Document => {
                PAGE_TEXT
                    + match generation {
                        Generation::Tiles => self.tile(),
                        Generation::Levels => PAGE[self.level.unwrap_or(1)],
                    }
            }
        }
    }

    fn image(&self, generation: Generation) -> u64 {
        match (generation, self.level) {
            (Generation::Levels, level) => IMAGE[level.unwrap_or(2)],
            (Generation::Tiles, Some(0 | 1)) => self.tile(),
            (Generation::Tiles, _) => TILE * self.size.map_or(MOST_TILES, tiles),
        }
    }

    fn tile(&self) -> u64 {
        if self.level == Some(0) { LOW_TILE } else { TILE }
    }

    /// Returns the length in seconds. `bytes` are those of one second.
    fn seconds(&self, bytes: u64) -> u64 {
        match (self.end, self.base64) {
            (Some(end), _) => end.saturating_sub(self.start),
            (None, Some(length)) => (length / 4).saturating_mul(3).div_ceil(bytes),
            (None, None) => LENGTH,
        }
    }
}

/// Returns the tiles of an image. Their edge is two thirds of the image's shorter one.
fn tiles(size: Pixels) -> u64 {
    let Pixels { width, height } = size;
    if width <= SMALL && height <= SMALL {
        return 1;
    }
    let edge = (u64::from(width.min(height)) * 2 / 3).max(1);
    let tiles = |length: u32| u64::from(length).div_ceil(edge);
    (tiles(width) * tiles(height)).min(MOST_TILES)
}

#[cfg(test)]
mod tests {
    use super::{Generation, Media, Type, tiles};
    use crate::pricing::pixels::Pixels;

    #[test]
    fn an_image_is_cut_into_tiles_as_the_page_says() {
        for ((width, height), expected) in
            [((384, 384), 1), ((960, 540), 6), ((385, 100), 8), ((1_000, 1_000), 4), ((u32::MAX, 1), 8)]
        {
            assert_eq!(tiles(Pixels { width, height }), expected, "{width} x {height}");
            assert_eq!(tiles(Pixels { width: height, height: width }), expected, "{height} x {width}");
        }
    }

    #[test]
    fn no_length_of_a_video_overflows() {
        for generation in [Generation::Tiles, Generation::Levels] {
            let endless = Media {
                is_there: true,
                kind: Type::Video,
                end: Some(u64::MAX),
                frames: Some(u64::MAX),
                base64: Some(u64::MAX),
                ..Media::default()
            };
            assert_eq!(endless.tokens(generation), u64::MAX);
            assert!(Media { end: None, ..endless }.tokens(generation) > 0);
        }
    }
}
