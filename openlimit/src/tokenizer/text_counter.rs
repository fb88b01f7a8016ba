//! `TextCounter`: the counter for the texts of one request, own or plugged in.

use super::encoding::Encoding;
use super::plug::Plugged;

/// The counter for the texts of one request.
pub(crate) enum TextCounter<'a> {
    /// This crate's own counter.
    Own(Encoding),
    /// A limiter's tokenizer, and the model's name in the request.
    Plugged(&'a Plugged, &'a str),
}

impl TextCounter<'_> {
    pub(crate) fn count(&self, text: &str) -> u64 {
        match self {
            Self::Own(encoding) => encoding.count(text),
            Self::Plugged(tokenizer, model) => tokenizer.count(model, text),
        }
    }

    /// Counts the tokens of a colon followed by `text`.
    ///
    /// The formulas for tools count `name:description` as one text, but the two arrive apart. After
    /// a name that ends in a letter or a digit, every encoding splits before the colon. So the
    /// colon and the description can be counted by themselves.
    pub(crate) fn count_after_colon(&self, text: &str) -> u64 {
        // In bytes. Descriptions up to this length are joined on the stack.
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
    use super::{Encoding, TextCounter};

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
                    TextCounter::Own(encoding).count_after_colon(text),
                    encoding.count(&format!(":{text}")),
                    "{text:.20}"
                );
            }
        }
    }
}
