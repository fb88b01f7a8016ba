//! Turns the lists of tokens in `data` into the tables of the counter's vocabularies.
//!
//! The lists are small, so they are kept and published. The tables are large, and filling them
//! takes longer than a program may take to start, so they are filled at build time. At run time
//! they are part of the program, and the system reads only the pages that are used.

use std::path::Path;
use std::{env, error, fs};

use self::layout::{
    EMPTY_RANK, Layout, TokenKey, is_border, long_hash, medium_key, pair_index, place, short_key,
};

#[path = "src/tokenizer/counter/layout.rs"]
mod layout;

/// The feature of each encoding, its name, its layout, and the lists of its tokens. A list has the
/// tokens by rank, each after its length, without the single bytes. p50k is r50k and some runs of
/// spaces.
const ENCODINGS: &[(&str, &str, Layout, &[&str])] = &[
    ("O200K", "o200k_base", layout::O200K_BASE, &["o200k_base.tokens"]),
    ("CL100K", "cl100k_base", layout::CL100K_BASE, &["cl100k_base.tokens"]),
    ("P50K", "p50k_base", layout::P50K_BASE, &["r50k_base.tokens", "p50k_base.tokens"]),
    ("R50K", "r50k_base", layout::R50K_BASE, &["r50k_base.tokens"]),
];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=src/tokenizer/counter/layout.rs");
    let directory = env::var("OUT_DIR")?;
    for (feature, name, layout, files) in ENCODINGS {
        if env::var_os(format!("CARGO_FEATURE_{feature}")).is_some() {
            let mut lists = Vec::new();
            for file in *files {
                lists.extend(fs::read(Path::new("data").join(file))?);
            }
            fs::write(Path::new(&directory).join(name), tables(layout, &lists))?;
        }
    }
    Ok(())
}

/// Returns the tables of an encoding, in the order in which `Vocabulary::new` splits them.
fn tables(layout: &Layout, lists: &[u8]) -> Vec<u8> {
    let mut pairs = vec![EMPTY_RANK; 1 << 16];
    let mut short = Table::<u64>::new(layout.short);
    let mut medium = Table::<u128>::new(layout.medium);
    let (mut long, mut texts) = (vec![0_u64; 1 << layout.long], Vec::<u8>::new());
    let mut cuts = vec![0_u8; 1 << (layout.cuts - 3)];

    // Nobody asks for the ranks of single bytes.
    for byte in 0..0x80 {
        let key = short_key(&[byte], 0, 1);
        short.insert(key, 0);
    }

    let (mut start, mut rank) = (1, 0_u32);
    while start < lists.len() {
        let end = start + usize::from(lists[start - 1]);
        let token = &lists[start..end];
        match token.len() {
            length @ ..=8 => {
                let key = short_key(token, 0, length);
                short.insert(key, rank);
            }
            length @ ..=16 => medium.insert(medium_key(token, 0, length), rank),
            length => {
                let mut slot = long_hash(token, 0, length) as usize;
                while long[slot % long.len()] != 0 {
                    slot += 1;
                }
                let slots = long.len();
                long[slot % slots] = (texts.len() as u64) << 32 | (length as u64) << 24 | u64::from(rank);
                texts.extend(token);
            }
        }
        if let &[first, second] = token {
            pairs[pair_index(first, second)] = rank;
        }
        for at in (1..token.len()).filter(|at| is_border(token, *at)) {
            let (left, right) = match (at, token.len() - at) {
                (3.., 3..) => (3, 3),
                (left, right) => (left.min(2), right.min(2)),
            };
            let bit = place(&token[at - left..at], &token[at..at + right], layout.cuts);
            cuts[bit / 8] |= 1 << (bit % 8);
        }
        start = end + 1;
        rank += 1;
    }

    let mut tables: Vec<u8> = pairs.into_iter().flat_map(u32::to_le_bytes).collect();
    for (key, rank) in short.slots {
        tables.extend(key.to_le_bytes());
        tables.extend(rank.to_le_bytes());
    }
    for (key, rank) in medium.slots {
        tables.extend(key.to_le_bytes());
        tables.extend(rank.to_le_bytes());
    }
    tables.extend(long.into_iter().flat_map(u64::to_le_bytes));
    tables.extend(cuts);
    tables.extend(texts);
    tables
}

struct Table<K> {
    slots: Vec<(K, u32)>,
    bits: u32,
}

impl<K: TokenKey> Table<K> {
    fn new(bits: u32) -> Self {
        Self { slots: vec![(K::default(), 0); 1 << bits], bits }
    }

    fn insert(&mut self, key: K, rank: u32) {
        let slots = self.slots.len();
        let mut slot = (key.hash() >> (64 - self.bits)) as usize;
        while self.slots[slot % slots].0 != K::default() {
            slot += 1;
        }
        self.slots[slot % slots] = (key, rank);
    }
}
