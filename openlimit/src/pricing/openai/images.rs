//! `Images`: the price of an image in tokens, by model, size and detail.
//!
//! Models read images in one of two ways: scaled down and cut into tiles, or cut into patches.
//! Anything unknown is priced at its largest: the size of an image behind a URL, the detail `auto`,
//! which leaves the choice to the model, and an unknown model, which is taken for one of the
//! newest.
//!
//! For example, gpt-4o takes 85 tokens for an image and 170 for each tile of 512 x 512 pixels. An
//! image of 1024 x 2000 is scaled to 768 x 1500, which is 2 x 3 tiles: 85 + 6 * 170 = 1 105 tokens.
//!
//! Source of the rules and figures: OpenAI's guide to images and vision, "Calculating costs" and
//! "Model sizing behavior". Where the API was seen to charge otherwise, the higher figure is used.
//! That is a factor of 1.2 for gpt-5.2 (<https://community.openai.com/t/1372291>). The guide itself
//! gives this factor to later models.

use crate::pricing::pixels::Pixels;
use crate::tokenizer::{base, fits};

/// The rule by which a model's images are priced.
#[derive(Debug)]
pub(super) enum Images {
    /// `base`, and `tile` for each tile of 512 x 512.
    Tiles { base: u64, tile: u64 },
    /// `percent` / 100 for each patch of 32 x 32, up to `high` or `original` patches by detail.
    Patches { percent: u64, high: u64, original: u64 },
}

/// The detail at which a model looks at an image, from the least on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    Low,
    High,
    /// `original`, `auto`, no detail, or an unknown one.
    Full,
}

impl Detail {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "low" => Self::Low,
            "high" => Self::High,
            _ => Self::Full,
        }
    }
}

impl Images {
    pub(super) fn of(model: &str) -> &'static Self {
        let name = base(model);
        let row = MODELS.iter().find(|(patterns, _)| patterns.iter().any(|pattern| fits(name, pattern)));
        row.map_or_else(|| Self::newest(name), |(_, images)| images)
    }

    /// Returns the rule for an unknown model. Small models take more tokens for a patch.
    fn newest(name: &str) -> &'static Self {
        let says =
            |word: &[u8]| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        match () {
            () if says(b"nano") => &NEWEST_NANO,
            () if says(b"mini") => &NEWEST_MINI,
            () => &NEWEST,
        }
    }

    /// Returns the tokens of an image, or those of the largest if the size is unknown.
    pub(super) fn tokens(&self, size: Option<Pixels>, detail: Detail) -> u64 {
        match *self {
            Self::Tiles { base, .. } if detail == Detail::Low => base,
            Self::Tiles { base, tile } => base + tile * size.map_or(MOST_TILES, tiles),
            Self::Patches { percent, high, original } => {
                let most = match detail {
                    Detail::Low => LOW_PATCHES,
                    Detail::High => high,
                    Detail::Full => original,
                };
                // At low detail a small image may be enlarged, so its size does not help.
                let sized = size.filter(|_| detail != Detail::Low);
                (sized.map_or(most, |size| patches(size).min(most)) * percent).div_ceil(100)
            }
        }
    }
}

/// The newest known models, gpt-5.6 and gpt-6, and all that are newer or unknown.
const NEWEST: Images = Images::Patches { percent: 120, high: 2_500, original: 30_000 };

/// An assumption: the factors of gpt-5.4's small models, and the newest's patches.
const NEWEST_MINI: Images = Images::Patches { percent: 162, high: 2_500, original: 30_000 };
const NEWEST_NANO: Images = Images::Patches { percent: 246, high: 2_500, original: 30_000 };

/// The first row that fits decides.
const MODELS: &[(&[&str], Images)] = &[
    (&["gpt-4o-mini*"], Images::Tiles { base: 2_833, tile: 5_667 }),
    (&["gpt-4.1-mini*", "gpt-5-mini*"], Images::Patches { percent: 162, high: 1_536, original: 1_536 }),
    (&["gpt-4.1-nano*", "gpt-5-nano*"], Images::Patches { percent: 246, high: 1_536, original: 1_536 }),
    (&["o4-mini*"], Images::Patches { percent: 172, high: 1_536, original: 1_536 }),
    (&["gpt-5.4-mini*"], Images::Patches { percent: 162, high: 2_500, original: 10_000 }),
    (&["gpt-5.4-nano*"], Images::Patches { percent: 246, high: 2_500, original: 10_000 }),
    // The patches are from the guide, and the factor of 1.2 from usage that the API reported.
    (
        &["gpt-5.2*", "gpt-5.3*", "gpt-5-codex-mini*", "gpt-5.1-codex-mini*"],
        Images::Patches { percent: 120, high: 1_536, original: 1_536 },
    ),
    (&["gpt-5.4*", "gpt-5.5*"], Images::Patches { percent: 120, high: 2_500, original: 10_000 }),
    (&["gpt-5", "gpt-5-*", "gpt-5.1*"], Images::Tiles { base: 70, tile: 140 }),
    (&["o1*", "o3*"], Images::Tiles { base: 75, tile: 150 }),
    (&["computer-use*"], Images::Tiles { base: 65, tile: 129 }),
    (&["gpt-4*", "chatgpt-4o*"], Images::Tiles { base: 85, tile: 170 }),
];

/// The most patches at low detail: those of a square of 512 x 512 pixels.
const LOW_PATCHES: u64 = 16 * 16;

/// The most tiles of an image: those of 768 x 2048 pixels.
const MOST_TILES: u64 = 2 * 4;

fn patches(size: Pixels) -> u64 {
    u64::from(size.width.div_ceil(32)) * u64::from(size.height.div_ceil(32))
}

/// Returns the tiles of an image, which is scaled down to fit into 2048 x 2048, and then to 768 on
/// its shorter side. It is never scaled up: the guide does not say so, but the API charges small
/// images so.
fn tiles(size: Pixels) -> u64 {
    const LONGEST: u64 = 2_048;
    const SHORTEST: u64 = 768;
    let long = u64::from(size.width.max(size.height));
    let short = u64::from(size.width.min(size.height));
    let (mut wide, mut high) = (long.min(LONGEST), short);
    if long > LONGEST {
        high = (short * LONGEST).div_ceil(long);
    }
    if high > SHORTEST {
        (wide, high) = ((long * SHORTEST).div_ceil(short), SHORTEST);
    }
    wide.div_ceil(512) * high.div_ceil(512)
}

/// The image that is being read. Its URL and its detail come in any order, if they come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Image {
    pub(super) size: Option<Pixels>,
    /// The highest detail that the request names.
    pub(super) detail: Option<Detail>,
    /// The tokens that were added for it; zero if it was not. No image is free.
    pub(super) counted: u64,
}
