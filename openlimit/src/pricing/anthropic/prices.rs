//! The prices of a model, each with its source, and what they add to the tokens counted so far.

use crate::pricing::common::{self, InHand, Prices};
use crate::pricing::pixels::Pixels;
use crate::tokenizer::{Factor, Version, version};

/// The tokens counted so far.
pub(super) type Tally<'a> = common::Tally<'a, Claude>;

/// For each message: its role, and what separates it from the next.
///
/// Measured: `count_tokens` returns 8 for the one message "hi".
pub(super) const MESSAGE: u64 = 4;

/// Once, for the start of the reply. It is the rest of what `count_tokens` adds to one message.
pub(super) const REPLY: u64 = 3;

/// For each tool: the frame of its definition. An assumption.
pub(super) const TOOL: u64 = 8;

/// For the schema of the reply: the sentence that asks for it. An assumption, since Anthropic only
/// says that it adds one.
pub(super) const SCHEMA: u64 = 50;

/// For the text of a document of any length: one full page.
///
/// Source: Anthropic's guide to PDF support, 1 500 to 3 000 tokens a page, and an image of it. One
/// page is an assumption, since only the provider knows their number. The usage in the reply
/// corrects it.
const PAGE: u64 = 3_000;

/// The part of a price that depends on the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(super) factor: Factor,
    images: Images,
    /// The tokens that are added to the prompt if there are tools: if the model may choose, and if
    /// it must call one.
    tool_prompt: (u64, u64),
}

/// The largest image that a model reads. A larger one is scaled down.
///
/// Source: Anthropic's guide to vision, "Resolution and token cost", of September 2026.
#[derive(Clone, Copy, Debug)]
struct Images {
    /// The longest edge, in pixels.
    edge: u64,
    /// The most patches.
    patches: u64,
}

/// The edge of a patch in pixels. Each patch is a token.
const PATCH: u64 = 28;

const STANDARD: Images = Images { edge: 1_568, patches: 1_568 };
const HIGH_RESOLUTION: Images = Images { edge: 2_576, patches: 4_784 };

/// The tokens that are added to the prompt if there are tools, from a version on: with the
/// `tool_choice` `auto` or `none`, and with `any` or `tool`. The first row that fits decides.
///
/// Source: the table in Anthropic's overview of tool use, of July to September 2026 and, for
/// version 3, of May 2025. Of several models of a version, the most.
const TOOL_PROMPTS: [(Version, (u64, u64)); 7] = [
    ((5, 0), (354, 474)),
    ((4, 8), (290, 410)),
    ((4, 7), (675, 804)),
    ((4, 5), (497, 589)),
    ((4, 0), (313, 315)),
    ((3, 5), (346, 355)),
    ((0, 0), (530, 340)),
];

impl Model {
    /// Returns the prices of a model. One that is not a Claude is taken for the newest of them.
    pub(super) fn of(name: &str) -> Self {
        let version = version(name, "claude").unwrap_or((u32::MAX, 0));
        let row = TOOL_PROMPTS.iter().find(|(from, _)| version >= *from);
        Self {
            factor: Factor::of(if name.is_empty() { "claude" } else { name }),
            images: if version >= (4, 7) { HIGH_RESOLUTION } else { STANDARD },
            tool_prompt: row.map_or((0, 0), |(_, tokens)| *tokens),
        }
    }
}

impl Images {
    /// Returns the tokens of an image, or those of the largest if the size is unknown.
    ///
    /// An image that is too large is scaled down until both edges, rounded up to patches, and the
    /// number of patches are small enough. Only the whole is scaled: the edges keep their ratio.
    fn tokens(self, size: Option<Pixels>) -> u64 {
        let Some(Pixels { width, height }) = size else { return self.patches };
        let (long, short) = (u64::from(width.max(height)), u64::from(width.min(height)));
        // Rounded to the nearest pixel, at least one.
        let other = |edge: u64| ((2 * edge * short + long) / (2 * long)).max(1);
        let patches = |edge: u64| edge.div_ceil(PATCH) * other(edge).div_ceil(PATCH);
        let fits = |edge: u64| edge.next_multiple_of(PATCH) <= self.edge && patches(edge) <= self.patches;
        if fits(long) {
            return patches(long);
        }
        // The longest edge that fits. One pixel always does.
        let (mut fitting, mut too_long) = (1, long.min(self.edge + 1));
        while fitting + 1 < too_long {
            let middle = u64::midpoint(fitting, too_long);
            *if fits(middle) { &mut fitting } else { &mut too_long } = middle;
        }
        patches(fitting)
    }
}

/// The prices of one request.
pub(crate) struct Claude {
    model: Model,
    /// The image or document of the block that is being read.
    pub(super) file: InHand<File>,
    /// True if there are tools.
    pub(super) has_tools: bool,
    /// True if the model must call a tool.
    pub(super) must_call: bool,
}

/// An image or a document.
#[derive(Default)]
pub(crate) struct File {
    is_image: bool,
    /// The source, if there is one: the size of an image, if it is known.
    source: Option<Option<Pixels>>,
}

impl Claude {
    pub(super) fn new(model: Model) -> Self {
        Self { model, file: InHand::default(), has_tools: false, must_call: false }
    }

    /// Returns the tokens that are added to the prompt for tools.
    pub(super) fn tool_prompt(&self) -> u64 {
        match self.model.tool_prompt {
            _ if !self.has_tools => 0,
            (_, must_call) if self.must_call => must_call,
            (may_call, _) => may_call,
        }
    }
}

impl Prices for Claude {
    fn file(&self) -> u64 {
        PAGE + self.model.images.tokens(None)
    }
}

impl Tally<'_> {
    /// Adds a file as the source of a block: an image of this size, or one of unknown content.
    pub(super) fn source(&mut self, block: u32, size: Option<Pixels>) {
        self.prices.file.of(block).source = Some(size);
        self.price_file();
    }

    /// Notes that a block is an image. If its source was already added, its price changes.
    pub(super) fn is_image(&mut self, block: u32) {
        self.prices.file.of(block).is_image = true;
        self.price_file();
    }

    fn price_file(&mut self) {
        let InHand { known, counted, .. } = &self.prices.file;
        let tokens = match known.source {
            None => 0,
            Some(None) if !known.is_image => self.prices.file(),
            Some(size) => self.prices.model.images.tokens(size),
        };
        self.replace(*counted, tokens);
        self.prices.file.counted = tokens;
    }
}

/// Returns the tokens that the definition of a tool of Anthropic's adds.
///
/// Source: the pages about these tools, of September 2026. The computer's is the sum of what is
/// added to the prompt and of the definition. An assumption for all others: as many as for the
/// largest.
pub(super) fn built_in(kind: &str) -> u64 {
    match kind {
        _ if kind.starts_with("bash_") => 245,
        _ if kind.starts_with("text_editor_") => 700,
        _ => 735 + 499,
    }
}

#[cfg(test)]
mod tests {
    use super::{HIGH_RESOLUTION, STANDARD};
    use crate::pricing::pixels::Pixels;

    /// The table in Anthropic's guide to vision, and the example in its guide to coordinates.
    #[test]
    fn images_cost_what_the_guide_says() {
        for ((width, height), standard, high) in [
            ((200, 200), 64, 64),
            ((1_000, 1_000), 1_296, 1_296),
            ((1_092, 1_092), 1_521, 1_521),
            ((1_920, 1_080), 1_560, 2_691),
            ((2_000, 1_500), 1_564, 3_888),
            ((3_840, 2_160), 1_560, 4_784),
            ((1_075, 1_520), 33 * 47, 39 * 55),
        ] {
            for size in [Pixels { width, height }, Pixels { width: height, height: width }] {
                assert_eq!(STANDARD.tokens(Some(size)), standard, "{size:?}");
                assert_eq!(HIGH_RESOLUTION.tokens(Some(size)), high, "{size:?}");
            }
        }
    }

    #[test]
    fn an_image_of_any_size_costs_at_most_the_largest() {
        for images in [STANDARD, HIGH_RESOLUTION] {
            for width in [1, 2, 27, 28, 29, 1_568, 1_569, 2_576, 8_000, 65_535, u32::MAX - 1, u32::MAX] {
                for height in [1, 3, 28, 1_000, 1_568, 4_000, u32::MAX] {
                    let tokens = images.tokens(Some(Pixels { width, height }));
                    assert!((1..=images.patches).contains(&tokens), "{width} x {height}: {tokens}");
                }
            }
            assert_eq!(images.tokens(None), images.patches);
        }
    }
}
