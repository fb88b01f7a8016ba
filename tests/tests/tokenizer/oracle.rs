//! Shared by the tests of the counter: the reference, and texts.

use openlimit::tokens::Encoding;
use tiktoken_rs::CoreBPE;

pub(crate) const ENCODINGS: [Encoding; 4] =
    [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase];

/// Checks the count of a text against tiktoken-rs.
#[track_caller]
pub(crate) fn check(encoding: Encoding, text: &str) {
    let expected = oracle(encoding).count_ordinary(text) as u64;
    let counted = encoding.count(text);
    assert_eq!(counted, expected, "{encoding}: {:?}", text.chars().take(200).collect::<String>());
}

#[track_caller]
pub(crate) fn check_all(text: &str) {
    for encoding in ENCODINGS {
        check(encoding, text);
    }
}

pub(crate) fn oracle(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
        Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
        other => panic!("no oracle for {other}"),
    }
}

/// Returns a character beside others that a pattern might join it with.
pub(crate) fn contexts(character: char) -> [String; 12] {
    let c = character;
    [
        format!("{c}"),
        format!("a{c}b"),
        format!(" {c}{c}1"),
        format!("A{c}B's"),
        format!("\n{c} x"),
        format!("{c}{c}{c}{c}"),
        format!("'{c}'s {c}'{c}"),
        format!("1{c}\n"),
        format!("  {c}Ab"),
        format!("!{c}/\n{c}"),
        format!("{c}A{c}AB\u{301}{c}"),
        format!("日{c}\r\n {c}\t"),
    ]
}

/// A generator with the same numbers in every run.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Returns a text of up to `longest` of these fragments, some of them repeated.
    pub(crate) fn text(&mut self, longest: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.below(longest) + 1 {
            match self.below(12) {
                0 => text.push_str(&self.pick(FRAGMENTS).repeat(self.below(12) + 1)),
                1 => text.push(self.character()),
                2 => (0..self.below(20)).for_each(|_| text.push(self.of_script())),
                3 => (0..self.below(40)).for_each(|_| text.push(self.base64())),
                _ => text.push_str(self.pick(FRAGMENTS)),
            }
        }
        text
    }

    pub(crate) fn character(&mut self) -> char {
        char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{fffd}')
    }

    pub(crate) fn of_script(&mut self) -> char {
        let (first, count) = SCRIPTS[self.below(SCRIPTS.len())];
        char::from_u32(first + self.below(count) as u32).unwrap_or('x')
    }

    pub(crate) fn base64(&mut self) -> char {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char::from(ALPHABET[self.below(64)])
    }
}

/// The first characters of scripts, and the number of characters to draw from each.
const SCRIPTS: &[(u32, usize)] = &[
    (0x20, 95),
    (0x00, 32),
    (0xa0, 0x160),
    (0x250, 0x120),
    (0x300, 0x70),
    (0x370, 0x90),
    (0x400, 0x100),
    (0x590, 0x70),
    (0x600, 0x100),
    (0x900, 0x80),
    (0xe00, 0x80),
    (0x1c80, 0x50),
    (0x2000, 0x70),
    (0x2100, 0x90),
    (0x3040, 0xc0),
    (0x4e00, 0x400),
    (0xac00, 0x400),
    (0xfe00, 0x10),
    (0xff00, 0xf0),
    (0x1_0400, 0x50),
    (0x1_f300, 0x300),
];

pub(crate) const FRAGMENTS: &[&str] = &[
    "the",
    " quick",
    " Brown",
    "FOX",
    " jumps",
    "ing",
    "tion",
    " I",
    "a",
    "A",
    "é",
    "É",
    "ß",
    "ſ",
    "K",
    "'s",
    "'S",
    "'ſ",
    "'t",
    "'LL",
    "'re",
    "'Ve",
    "'d",
    "'m",
    "'l",
    "'",
    "''",
    "’s",
    "can't",
    "DON'T",
    "x'ſy",
    "'sſ",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " \n",
    "\n ",
    "\u{a0}",
    "\u{85}",
    "\u{2003}",
    "\u{3000}",
    "\u{200b}",
    "\u{b}",
    "\u{c}",
    "\u{0}",
    "\u{0}\u{0}",
    "\u{7f}",
    "\u{1f}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "0",
    "1",
    "12",
    "123",
    "1234567",
    " 42",
    "٣",
    "²",
    "Ⅷ",
    "½",
    "3.14",
    "1e-9",
    "0x1F",
    ".",
    ",",
    "!",
    "?!",
    "...",
    "/",
    "//",
    "/\n",
    "://",
    "-",
    "--",
    "==",
    "=>",
    "(",
    ")",
    "{",
    "}",
    "[]",
    "<",
    ">",
    "#",
    "$",
    "€",
    "%",
    "&&",
    "*",
    "@",
    "\\",
    "|",
    "~",
    "`",
    "_",
    "__init__",
    "+=",
    "fn main() {\n    let x = 1;\n}\n",
    "    return ",
    "self.",
    "snake_case",
    "camelCase",
    "XMLHttp",
    "HTTPServer2",
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|im_start|>",
    "<|endofprompt|>",
    "https://example.com/a?b=c&d=%20",
    "今天天气很好",
    "，",
    "。",
    "我们",
    "カタカナ",
    "ひらがな",
    "です",
    "。」",
    "한국어",
    "문장",
    "русский",
    "Ελλάδα",
    "العربية",
    "עברית",
    "हिन्दी",
    "ภาษาไทย",
    "বাংলা",
    "ʰ",
    "ǅ",
    "ǅa",
    "\u{301}",
    "e\u{301}",
    "\u{20dd}",
    "\u{fe0f}",
    "🎉",
    "👩\u{200d}🚀",
    "🇩🇪",
    "👍🏽",
    "☃",
    "→",
    "∑",
    "𝔘",
    "𐐀",
    "𐐨",
    "aaaa",
    "AAAA",
    "zzzz",
    "====",
    "    ",
];
