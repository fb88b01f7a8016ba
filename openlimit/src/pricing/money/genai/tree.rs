//! `Tree`: the values of a JSON text, to look up keys in any order.
//!
//! All values are in one list, in the order in which the walk meets them, and each knows its parts
//! by their places there.

use crate::pricing::walk::{Number, ValueReader};

/// The values of a JSON text.
#[derive(Debug)]
pub(super) struct Tree(Vec<Node>);

#[derive(Debug, Default)]
struct Node {
    /// Its key in the map that it is part of.
    key: Box<str>,
    value: Value,
    /// The places of its parts.
    parts: Vec<usize>,
}

#[derive(Debug, Default)]
enum Value {
    #[default]
    Null,
    Other,
    Number(Number),
    Text(Box<str>),
    List,
    Map,
}

/// A value of a tree.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    tree: &'a Tree,
    node: &'a Node,
}

impl Default for Tree {
    fn default() -> Self {
        Self(vec![Node::default()])
    }
}

impl Tree {
    /// The place of the whole value.
    pub(super) const ROOT: usize = 0;

    /// Returns the whole value.
    pub(super) fn root(&self) -> Item<'_> {
        Item { tree: self, node: &self.0[Self::ROOT] }
    }

    fn add(&mut self, at: usize, key: &str) -> usize {
        let place = self.0.len();
        self.0.push(Node { key: key.into(), ..Node::default() });
        self.0[at].parts.push(place);
        place
    }
}

impl<'a> Item<'a> {
    /// Returns the value of a key, unless it is null.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        self.entries().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Iterates over the entries of a map whose value is not null.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Self)> {
        let nodes = self.is_map().then(|| self.parts()).into_iter().flatten();
        nodes.map(|item| (&*item.node.key, item)).filter(|(_, item)| !matches!(item.node.value, Value::Null))
    }

    /// Iterates over the items of a list.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        self.is_list().then(|| self.parts()).into_iter().flatten()
    }

    fn parts(self) -> impl Iterator<Item = Self> {
        self.node.parts.iter().map(move |place| Self { tree: self.tree, node: &self.tree.0[*place] })
    }

    pub(super) fn is_map(self) -> bool {
        matches!(self.node.value, Value::Map)
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self.node.value, Value::List)
    }

    pub(super) fn text(self) -> Option<&'a str> {
        if let Value::Text(text) = &self.node.value { Some(text) } else { None }
    }

    /// Returns a number, or a text that is one.
    pub(super) fn number(self) -> Option<f64> {
        match &self.node.value {
            Value::Number(number) => Some(number.as_f64()),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Shows the value in an error.
    pub(super) fn shown(self) -> String {
        match &self.node.value {
            Value::Null => "null".into(),
            Value::Other => "a boolean".into(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::List => "a list".into(),
            Value::Map => "a map".into(),
        }
    }
}

impl ValueReader for Tree {
    type Place = usize;

    fn field(&mut self, at: &mut usize, key: &str) -> Option<usize> {
        Some(self.add(*at, key))
    }

    fn item(&mut self, at: &mut usize) -> Option<usize> {
        Some(self.add(*at, ""))
    }

    fn map(&mut self, at: usize) {
        self.0[at].value = Value::Map;
    }

    fn list(&mut self, at: usize) {
        self.0[at].value = Value::List;
    }

    fn null(&mut self, _: usize) {}

    fn boolean(&mut self, at: usize) {
        self.0[at].value = Value::Other;
    }

    fn number(&mut self, at: usize, number: Number) {
        self.0[at].value = Value::Number(number);
    }

    fn text(&mut self, at: usize, text: &str) {
        self.0[at].value = Value::Text(text.into());
    }
}
