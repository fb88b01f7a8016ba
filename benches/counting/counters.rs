//! The counters that are compared: this library and three others, each called through its own API.

use openlimit::tokens::Encoding;

pub(crate) const NAMES: [&str; 4] = ["openlimit", "tiktoken-rs", "bpe-openai", "tiktoken"];

pub(crate) const ENCODINGS: [Encoding; 2] = [Encoding::O200kBase, Encoding::Cl100kBase];

pub(crate) fn count(name: &str, encoding: Encoding, text: &str) -> usize {
    let o200k = encoding == Encoding::O200kBase;
    match name {
        "openlimit" => encoding.count(text) as usize,
        "tiktoken-rs" if o200k => tiktoken_rs::o200k_base_singleton().count_ordinary(text),
        "tiktoken-rs" => tiktoken_rs::cl100k_base_singleton().count_ordinary(text),
        "bpe-openai" if o200k => bpe_openai::o200k_base().count(text),
        "bpe-openai" => bpe_openai::cl100k_base().count(text),
        "tiktoken" => tiktoken::get_encoding(encoding.name()).unwrap().count(text),
        other => panic!("no counter is called {other}"),
    }
}
