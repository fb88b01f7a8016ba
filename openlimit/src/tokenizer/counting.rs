//! `Counting`: what counts the texts of one request.

use super::encoding::Encoding;
use super::plug::Plugged;

/// What counts the texts of one request.
pub(crate) enum Counting<'a> {
    Own(Encoding),
    Plugged(&'a Plugged, &'a str),
}

impl Counting<'_> {
    pub(crate) fn count(&self, text: &str) -> u64 {
        match self {
            Self::Own(encoding) => encoding.count(text),
            Self::Plugged(tokenizer, model) => tokenizer.count(model, text),
        }
    }

    /// How many tokens a colon and then `text` are.
    ///
    /// The formulas count a name and its description as one text, and never have both at hand. A name ends where
    /// every encoding cuts, so the rest can be counted apart, but it does begin with the colon.
    pub(crate) fn count_after_colon(&self, text: &str) -> u64 {
        const SHORT: usize = 512;
        let mut joined = [b':'; SHORT];
        if let Some(rest) = joined.get_mut(1..=text.len()) {
            rest.copy_from_slice(text.as_bytes());
            if let Ok(joined) = str::from_utf8(&joined[..=text.len()]) {
                return self.count(joined);
            }
        }
        self.count(&format!(":{text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counting, Encoding};

    #[test]
    fn a_colon_and_a_text_are_counted_as_one() {
        let long = "The city and state, e.g. San Francisco, CA; ".repeat(100);
        let run = "é".repeat(1000);
        for text in [
            "",
            "The city",
            "$",
            "'s",
            "\n",
            " x",
            "今天",
            &long[..510],
            &long[..511],
            &long[..512],
            &long,
            &run,
        ] {
            for encoding in
                [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase]
            {
                assert_eq!(
                    Counting::Own(encoding).count_after_colon(text),
                    encoding.count(&format!(":{text}")),
                    "{text:.20}"
                );
            }
        }
    }
}
