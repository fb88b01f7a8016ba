//! Splits Rust source into tokens, without comments, and with each literal as one token.
//!
//! It knows just enough of Rust to find imports: a string or a comment that looks like an import is
//! none.

/// A word, a literal, `::`, or any other single character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// The word, the content of a string, or the character.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A string, a character or a number.
    Literal,
    /// `::`.
    Path,
    /// Any other character.
    Sign,
}

impl Token {
    /// Returns true for the identifier or keyword `word`.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// Returns true for the single character `sign`.
    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        self.sign() == sign
    }

    /// Returns the single character that this is, or nothing for a word, a literal or `::`.
    pub(crate) fn sign(&self) -> &str {
        if self.kind == Kind::Sign { &self.text } else { "" }
    }
}

/// Returns the tokens of `source`.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.peek(0) {
        let line = lexer.line;
        if let Some((kind, text)) = lexer.token(first) {
            tokens.push(Token { kind, text, line });
        }
    }
    tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek(0).filter(|next| is_part(*next)) {
            self.next();
            taken.push(next);
        }
        taken
    }

    /// Reads one token, or skips one comment, space or lifetime.
    fn token(&mut self, first: char) -> Option<(Kind, String)> {
        match (first, self.peek(1)) {
            ('/', Some('/')) => {
                self.take(|next| next != '\n');
                None
            }
            ('/', Some('*')) => {
                self.block_comment();
                None
            }
            ('"', _) => Some((Kind::Literal, self.string())),
            ('\'', _) => self.quote(),
            (':', Some(':')) => {
                self.at += 2;
                Some((Kind::Path, "::".to_owned()))
            }
            ('0'..='9', _) => Some((Kind::Literal, self.number())),
            (first, _) if first == '_' || first.is_alphabetic() => Some(self.word()),
            (first, _) => {
                self.next();
                (!first.is_whitespace()).then(|| (Kind::Sign, first.to_string()))
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.next(), self.peek(0)) {
                (Some('/'), Some('*')) => {
                    self.next();
                    depth += 1;
                }
                (Some('*'), Some('/')) => {
                    self.next();
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                (None, _) => return,
                _ => {}
            }
        }
    }

    /// Reads an identifier, or the string that a prefix such as `r#` or `b` begins.
    fn word(&mut self) -> (Kind, String) {
        let word = self.take(|next| next == '_' || next.is_alphanumeric());
        let is_raw = matches!(word.as_str(), "r" | "br" | "cr");
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        match self.peek(if is_raw { hashes } else { 0 }) {
            Some('"') if is_raw => (Kind::Literal, self.raw_string(hashes)),
            Some('"') if matches!(word.as_str(), "b" | "c") => (Kind::Literal, self.string()),
            Some('\'') if word == "b" => self.quote().unwrap_or((Kind::Word, word)),
            // A raw identifier: `r#type`.
            Some(_) if word == "r" && hashes == 1 => {
                self.next();
                self.word()
            }
            _ => (Kind::Word, word),
        }
    }

    fn string(&mut self) -> String {
        let mut content = String::new();
        self.next();
        loop {
            match self.next() {
                None | Some('"') => return content,
                Some('\\') => {
                    self.next();
                }
                Some(other) => content.push(other),
            }
        }
    }

    fn raw_string(&mut self, hashes: usize) -> String {
        let mut content = String::new();
        self.at += hashes + 1;
        while let Some(next) = self.next() {
            if next == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.at += hashes;
                break;
            }
            content.push(next);
        }
        content
    }

    /// Reads a character literal, or skips a lifetime.
    fn quote(&mut self) -> Option<(Kind, String)> {
        self.next();
        let first = self.next()?;
        if first == '\\' {
            self.next();
            self.take(|next| next != '\'');
            self.next();
        } else if self.peek(0) == Some('\'') {
            self.next();
        } else {
            self.take(|next| next == '_' || next.is_alphanumeric());
            return None;
        }
        Some((Kind::Literal, String::new()))
    }

    fn number(&mut self) -> String {
        let mut number = self.take(|next| next == '_' || next.is_alphanumeric());
        // The point of `1.5`, and not that of `1..5` or `1.max(5)`.
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|next| next.is_ascii_digit()) {
            self.next();
            number += &self.number();
        }
        number
    }
}

#[test]
fn comments_strings_and_lifetimes_are_no_words() {
    let source = r##"
        // use crate::a;
        /* use crate::b; /* nested */ use crate::c; */
        fn f<'a>(x: &'a str) -> char { g("use crate::d; \" ", r#"use "crate::e"#, b'"', '\'', 'x', 1.5, 0..2) }
    "##;
    let words: Vec<_> = tokens(source).into_iter().filter(|token| token.kind == Kind::Word).collect();
    let texts: Vec<&str> = words.iter().map(|token| token.text.as_str()).collect();
    assert_eq!(texts, ["fn", "f", "x", "str", "char", "g"]);
    assert_eq!((words[0].line, words[5].line), (4, 4));
}

#[test]
fn raw_identifiers_and_prefixed_strings_are_read_whole() {
    let texts: Vec<_> = tokens("r#type b\"x\" c\"y\" br##\"z\"#\"## rest\n::end")
        .into_iter()
        .map(|token| (token.text, token.line))
        .collect();
    let expected = [("type", 1), ("x", 1), ("y", 1), ("z\"#", 1), ("rest", 1), ("::", 2), ("end", 2)];
    assert_eq!(texts, expected.map(|(text, line)| (text.to_owned(), line)));
}
