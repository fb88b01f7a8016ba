//! Reads the modules that a source file declares, what they import, and which names they define.
//!
//! Code under `#[cfg(test)]` is skipped, and a module under it is marked: tests may import from
//! anywhere.

use super::attributes::{Attributes, is_test_only, other_file};
use super::lexer::{Kind, Token, tokens};
use super::module::{Child, Import, ImportKind, Module};

/// Returns the module of a file, and after it those inside of it.
pub(crate) fn read(file: &str, path: Vec<String>, is_test: bool, source: &str) -> Vec<Module> {
    let module = Module { path, file: file.to_owned(), is_test, ..Module::default() };
    let mut reader = Reader { tokens: tokens(source), at: 0, modules: vec![module] };
    reader.module(0);
    reader.modules
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    modules: Vec<Module>,
}

impl Reader {
    /// Reads until the `}` of this module, or the end of the file.
    fn module(&mut self, module: usize) {
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match token.sign() {
                "#" => self.attributes(module),
                "{" => (depth, self.at) = (depth + 1, self.at + 1),
                "}" => {
                    self.at += 1;
                    let Some(less) = depth.checked_sub(1) else { return };
                    depth = less;
                }
                _ if token.kind == Kind::Word => self.word(module, &token, depth == 0),
                _ => self.at += 1,
            }
        }
    }

    fn word(&mut self, module: usize, token: &Token, is_item: bool) {
        let follows = |ahead: usize, sign| self.token(ahead).is_some_and(|token| token.is_sign(sign));
        let name = self.token(1).filter(|token| token.kind == Kind::Word).map(|token| token.text.clone());
        match (token.text.as_str(), name) {
            ("pub", _) => self.visibility(module),
            ("use", _) if !follows(1, "<") => self.import(module, false),
            ("mod", Some(name)) if follows(2, ";") || follows(2, "{") => {
                self.declared(module, name, &Attributes::default());
            }
            ("macro_rules", _) if follows(1, "!") => {
                let name = self.token(2).map(|token| token.text.clone());
                self.modules[module].macros.extend(name);
                self.at += 3;
            }
            ("const" | "enum" | "fn" | "static" | "struct" | "trait" | "type" | "union", Some(name)) => {
                if is_item {
                    self.modules[module].items.insert(name);
                }
                self.at += 1;
            }
            _ => self.inline(module, token),
        }
    }

    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    /// Skips `pub` with what follows it in parentheses, so that `pub(in crate::x)` is no import.
    fn visibility(&mut self, module: usize) {
        self.at += 1;
        let scope = ["crate", "in", "self", "super"];
        let is_scope = self.token(1).is_some_and(|token| scope.iter().any(|scope| token.is(scope)));
        let ends = |token: &Token| token.is_sign(")");
        let is_whole = self.token(2).is_some_and(ends) || self.token(1).is_some_and(|token| token.is("in"));
        if self.token(0).is_some_and(|token| token.is_sign("(")) && is_scope && is_whole {
            self.at += 1 + self.tokens[self.at..].iter().position(ends).unwrap_or(0);
        }
        if self.token(0).is_some_and(|token| token.is("use")) {
            self.import(module, true);
        }
    }

    /// Enters `mod name;` or `mod name {`, at which this stands.
    fn declared(&mut self, module: usize, name: String, attributes: &Attributes) {
        let line = self.tokens[self.at].line;
        let is_test = attributes.is_test || self.modules[module].is_test;
        let is_inline = self.token(2).is_some_and(|token| token.is_sign("{"));
        self.at += 3;
        if is_inline {
            let path = [&self.modules[module].path[..], &[name]].concat();
            let file = self.modules[module].file.clone();
            self.modules.push(Module { path, file, is_test, ..Module::default() });
            self.module(self.modules.len() - 1);
        } else {
            let other_file = attributes.other_file.clone();
            self.modules[module].children.push(Child { name, line, is_test, other_file });
        }
    }

    /// Reads attributes, and skips what they apply to if that is for tests only.
    fn attributes(&mut self, module: usize) {
        let mut attributes = Attributes::default();
        while self.token(0).is_some_and(|token| token.is_sign("#")) {
            let is_inner = self.token(1).is_some_and(|token| token.is_sign("!"));
            self.at += 1 + usize::from(is_inner);
            let start = self.at;
            self.group();
            let content = &self.tokens[start..self.at];
            if is_inner {
                self.modules[module].is_test |= is_test_only(content);
                return;
            }
            attributes.is_test |= is_test_only(content);
            attributes.other_file = other_file(content).or(attributes.other_file);
        }
        let start = self.at;
        let is_word = |token: Option<&Token>, word| token.is_some_and(|token| token.is(word));
        if is_word(self.token(0), "pub") {
            self.at += 1;
            if self.token(0).is_some_and(|token| token.is_sign("(")) {
                self.group();
            }
        }
        let name = self.token(1).filter(|token| token.kind == Kind::Word).map(|token| token.text.clone());
        match name {
            Some(name) if is_word(self.token(0), "mod") => self.declared(module, name, &attributes),
            _ if attributes.is_test => self.skip(),
            _ => self.at = start,
        }
    }

    /// Skips one item, field, arm or statement.
    fn skip(&mut self) {
        const ITEMS: [&str; 15] = [
            "async",
            "const",
            "enum",
            "extern",
            "fn",
            "impl",
            "let",
            "macro_rules",
            "mod",
            "static",
            "struct",
            "trait",
            "type",
            "unsafe",
            "use",
        ];
        let is_item = |word: &str| self.token(0).is_some_and(|token| token.is(word));
        // Braces end an item, unless they are part of an expression or of a list of imports.
        let is_constant = is_item("const") && self.token(2).is_some_and(|token| token.is_sign(":"));
        let has_body = !is_constant && !["let", "static", "type", "use"].into_iter().any(is_item);
        let is_listed = !ITEMS.into_iter().any(is_item);
        while let Some(token) = self.token(0).cloned() {
            match token.sign() {
                ")" | "]" | "}" => return,
                "(" | "[" | "{" => self.group(),
                _ => self.at += 1,
            }
            if token.is_sign(";") || (token.is_sign(",") && is_listed) || (token.is_sign("{") && has_body) {
                return;
            }
        }
    }

    /// Skips from an opening bracket to behind its closing one.
    fn group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.token(0) {
            match token.sign() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads `use ..;`, at which this stands.
    fn import(&mut self, module: usize, is_public: bool) {
        self.at += 1;
        self.branch(module, is_public, &mut Vec::new());
    }

    /// Reads one branch of the tree of a `use`.
    fn branch(&mut self, module: usize, is_public: bool, path: &mut Vec<String>) {
        let length = path.len();
        let (mut line, mut name) = (0, None);
        let (mut is_glob, mut is_leaf) = (false, false);
        while let Some(token) = self.token(0).cloned() {
            if token.kind == Kind::Word || token.is_sign("*") {
                line = token.line;
                is_leaf = true;
            }
            match (token.kind, token.text.as_str()) {
                (Kind::Word, "as") => {
                    name = self.token(1).map(|token| token.text.clone());
                    self.at += 1;
                }
                // `self` in a group stands for the group's own path.
                (Kind::Word, "self") if !path.is_empty() => {}
                (Kind::Word, word) => {
                    if word == "openlimit" {
                        path.clear();
                    }
                    path.push(word.to_owned());
                }
                // Another crate's, even if a module has its name.
                (Kind::Path, _) if path.is_empty() => path.push("::".to_owned()),
                (Kind::Path, _) => {}
                (Kind::Sign, "*") => is_glob = true,
                (Kind::Sign, "{") => {
                    self.at += 1;
                    while !self.token(0).is_none_or(|token| token.is_sign("}") || token.is_sign(";")) {
                        self.branch(module, is_public, path);
                        if self.token(0).is_some_and(|token| token.is_sign(",")) {
                            self.at += 1;
                        }
                    }
                    is_leaf = false;
                }
                _ => break,
            }
            self.at += 1;
        }
        if is_leaf {
            let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
            let kind =
                if is_glob { ImportKind::Glob { is_public } } else { ImportKind::Name { name, is_public } };
            self.modules[module].imports.push(Import { line, path: path.clone(), kind });
        }
        path.truncate(length);
    }

    /// Reads a path such as `crate::queue::Key`. Any path may begin with a module's name.
    fn inline(&mut self, module: usize, first: &Token) {
        let is_continued = self.at > 0 && {
            let before = &self.tokens[self.at - 1];
            before.is_sign(".") || (before.kind == Kind::Path && !first.is("openlimit"))
        };
        let mut path = vec![first.text.clone()];
        self.at += 1;
        while self.token(0).is_some_and(|token| token.kind == Kind::Path)
            && let Some(next) = self.token(1).filter(|token| token.kind == Kind::Word)
        {
            path.push(next.text.clone());
            self.at += 2;
        }
        let sign = |ahead: usize| self.token(ahead).map_or("", Token::sign);
        let kind = if sign(0) == "!" && sign(1) != "=" { ImportKind::Macro } else { ImportKind::Inline };
        if path.len() > 1 && !is_continued {
            self.modules[module].imports.push(Import { line: first.line, path, kind });
        }
    }
}
