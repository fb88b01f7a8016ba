//! Counting tokens, exactly as tiktoken would encode them, without encoding them.
//!
//! A text is [split](split) into pieces, and most pieces are tokens: that takes one look into the
//! [vocabulary](vocabulary). The others are [merged](merge), and the count kept in a [cache](cache). A count needs no
//! ids, so nothing is allocated; only pieces longer than any word need [working memory](long). Whole texts are
//! [remembered](memo), since conversations repeat them.
//!
//! Time is linear in the length of any text, and no text makes it panic.

mod cache;
mod class;
#[allow(dead_code, reason = "the build script uses all of it")]
mod layout;
mod long;
mod memo;
mod merge;
mod pieces;
mod split;
mod vocabulary;

use self::cache::Kept;
use self::pieces::{pieces, with};
use self::vocabulary::Vocabulary;
use super::encoding::Encoding;

macro_rules! encodings {
    ($($feature:literal, $encoding:ident, $layout:ident, $tables:literal, $split:ident;)+) => {
        /// The encodings that are compiled in. What is not is not in the program, tables included.
        pub(super) const ENCODINGS: &[Encoding] = &[$(#[cfg(feature = $feature)] Encoding::$encoding),+];

        /// How many tokens `text` is, read as ordinary text whatever it says, in an encoding that is compiled in.
        pub(super) fn count(encoding: Encoding, text: &str) -> usize {
            match encoding {
                $(#[cfg(feature = $feature)]
                Encoding::$encoding => {
                    static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $tables));
                    static VOCABULARY: Vocabulary = Vocabulary::new(&layout::$layout, TABLES);
                    thread_local!(static CACHE: Kept = const { Kept::new(None) });
                    memo::count(encoding, text, || {
                        with(&CACHE, |cache| pieces(&VOCABULARY, cache, text.as_bytes(), split::$split))
                    })
                })+
                #[allow(unreachable_patterns, reason = "all may be compiled in")]
                _ => text.len(),
            }
        }
    };
}

encodings! {
    "o200k", O200kBase, O200K_BASE, "o200k_base", o200k;
    "cl100k", Cl100kBase, CL100K_BASE, "cl100k_base", cl100k;
    "p50k", P50kBase, P50K_BASE, "p50k_base", gpt2;
    "r50k", R50kBase, R50K_BASE, "r50k_base", gpt2;
}
