//! Tests that a request has one price for every Rust type: values that serialize to the same JSON
//! cost the same.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use openlimit::{Cost, Dimension, tokens};
use serde::Serialize;
use serde::ser::{Error, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::{Value, json};

/// Returns the price of a value, after checking that the same JSON has the same price.
fn price<T: Serialize + ?Sized>(params: &T) -> Cost {
    let json = serde_json::to_value(params).unwrap();
    let cost = tokens::chat(params).unwrap();
    assert_eq!(tokens::chat(&json).unwrap(), cost, "{json}");
    cost
}

#[test]
fn structs_newtypes_options_boxes_and_cows_are_seen_through() {
    #[derive(Serialize)]
    struct Request<'a> {
        messages: Cow<'a, [Box<Message<'a>>]>,
        model: Option<Box<Model>>,
        max_tokens: Option<Limit>,
        max_completion_tokens: Option<u128>,
        n: i128,
    }
    #[derive(Serialize)]
    struct Model(Rc<str>);
    #[derive(Serialize)]
    struct Limit(Inner);
    #[derive(Serialize)]
    struct Inner(u8);
    #[derive(Clone, Serialize)]
    struct Message<'a> {
        role: Role,
        content: Cow<'a, str>,
        name: Option<&'a str>,
        initial: char,
        nothing: (),
    }
    #[derive(Clone, Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        User,
    }

    let message =
        Message { role: Role::User, content: "Hello there".into(), name: None, initial: 'H', nothing: () };
    let cost = price(&Request {
        messages: Cow::Borrowed(&[Box::new(message)]),
        model: Some(Box::new(Model("gpt-4".into()))),
        max_tokens: Some(Limit(Inner(200))),
        max_completion_tokens: Some(100),
        n: 2,
    });
    assert_eq!(cost.amount(&Dimension::InputTokens), 3 + 3 + 1 + 2 + 1);
    assert_eq!(cost.amount(&Dimension::OutputTokens), 400);
}

#[test]
fn flattened_fields_are_fields() {
    #[derive(Serialize)]
    struct Request {
        #[serde(flatten)]
        common: Common,
        messages: Vec<BTreeMap<&'static str, &'static str>>,
        #[serde(flatten)]
        rest: HashMap<String, Value>,
    }
    #[derive(Serialize)]
    struct Common {
        model: &'static str,
        #[serde(rename = "max_tokens")]
        most: u32,
    }
    let cost = price(&Request {
        common: Common { model: "gpt-4", most: 70 },
        messages: vec![BTreeMap::from([("role", "user"), ("content", "Hello")])],
        rest: HashMap::from([("n".to_owned(), json!(2))]),
    });
    assert_eq!(cost.amount(&Dimension::Tokens), 3 + 5 + 140);
}

#[test]
fn every_kind_of_enum_is_the_json_that_it_becomes() {
    #[derive(Serialize)]
    struct Request {
        model: &'static str,
        messages: Vec<Message>,
    }
    #[derive(Serialize)]
    #[serde(tag = "role", rename_all = "lowercase")]
    enum Message {
        User { content: Content },
        Assistant { tool_calls: Vec<Call> },
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<Part>),
    }
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Part {
        Text { text: &'static str },
        ImageUrl { image_url: Url },
    }
    #[derive(Serialize)]
    struct Url {
        url: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Call {
        Function { name: &'static str, arguments: &'static str },
        Custom(Custom),
        Other(u8, &'static str),
    }
    #[derive(Serialize)]
    struct Custom {
        input: &'static str,
    }

    let messages = vec![
        Message::User { content: Content::Text("Hello there".into()) },
        Message::User {
            content: Content::Parts(vec![
                Part::Text { text: "Look" },
                Part::ImageUrl { image_url: Url { url: "data:image/png;base64,AAAA" } },
            ]),
        },
        Message::Assistant {
            tool_calls: vec![
                Call::Function { name: "find", arguments: "{}" },
                Call::Custom(Custom { input: "ls" }),
                Call::Other(7, "eight"),
            ],
        },
    ];
    let cost = price(&Request { model: "gpt-4o", messages });
    let calls = 3 * 3 + (1 + 1) + 1 + 2 * 2;
    assert_eq!(cost.amount(&Dimension::InputTokens), 3 + 3 * (3 + 1) + 2 + 1 + 1445 + calls);
}

#[test]
fn tuples_bytes_and_maps_with_other_keys_are_the_json_that_they_become() {
    struct Bytes(&'static [u8]);
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
    #[derive(Serialize)]
    struct Pair(&'static str, i64);
    #[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
    enum Key {
        Alpha,
    }
    #[derive(Serialize)]
    struct Message {
        content: (&'static str, Pair),
        raw: Bytes,
        signed: BTreeMap<i64, f32>,
        wide: BTreeMap<u128, f64>,
        letters: BTreeMap<char, ()>,
        flags: BTreeMap<bool, Option<&'static str>>,
        names: BTreeMap<Key, f64>,
    }
    let message = Message {
        content: ("Hello", Pair("there", -1234)),
        raw: Bytes(&[0, 99, 255]),
        signed: BTreeMap::from([(i64::MIN, 0.5), (7, 2.0)]),
        wide: BTreeMap::from([(u128::from(u64::MAX), f64::NAN)]),
        letters: BTreeMap::from([('é', ())]),
        flags: BTreeMap::from([(true, Some("yes"))]),
        names: BTreeMap::from([(Key::Alpha, f64::INFINITY)]),
    };
    price(&BTreeMap::from([("messages", vec![message])]));
    let bytes = tokens::completion(&BTreeMap::from([("prompt", Bytes(&[0, 99, 255]))])).unwrap();
    assert_eq!(bytes.amount(&Dimension::InputTokens), 3);
}

#[test]
fn values_with_a_serializer_of_their_own_are_read() {
    fn shout<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        text.to_uppercase().serialize(serializer)
    }
    struct Version(u8);
    impl Serialize for Version {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("gpt-{}", self.0))
        }
    }
    #[derive(Serialize)]
    struct Request {
        model: Version,
        messages: [Message; 1],
    }
    #[derive(Serialize)]
    struct Message {
        #[serde(serialize_with = "shout")]
        content: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        name: &'static str,
    }
    let cost = price(&Request { model: Version(4), messages: [Message { content: "hello", name: "" }] });
    assert_eq!(cost.amount(&Dimension::InputTokens), 3 + 3 + 1 + tokens::count("gpt-4", "HELLO"));
}

/// The digits of a number, as serde_json passes them: a struct whose name and only field are this
/// name.
struct Digits(&'static str);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NAME: &str = "$serde_json::private::Number";
        let mut private = serializer.serialize_struct(NAME, 1)?;
        private.serialize_field(NAME, self.0)?;
        private.end()
    }
}

#[test]
fn numbers_of_arbitrary_precision_are_numbers() {
    #[derive(Serialize)]
    struct Request {
        messages: [u8; 0],
        max_tokens: Digits,
        n: Digits,
    }
    let cost =
        |max_tokens, n| tokens::chat(&Request { messages: [], max_tokens: Digits(max_tokens), n: Digits(n) });
    assert_eq!(cost("300", "2").unwrap().amount(&Dimension::OutputTokens), 600);
    assert_eq!(cost("3e2", "2.0").unwrap().amount(&Dimension::OutputTokens), 600);
    for huge in ["1e30", "1e999"] {
        assert_eq!(cost(huge, "1").unwrap().amount(&Dimension::OutputTokens), u64::MAX);
    }
    assert_eq!(cost("1.5", "1").unwrap_err().field(), "max_tokens");
    assert_eq!(cost("1", "-1").unwrap_err().field(), "n");

    let inputs = |number: Digits| {
        tokens::embedding(&BTreeMap::from([("input", [number])])).unwrap().amount(&Dimension::Tokens)
    };
    assert_eq!(inputs(Digits("15496")), 1);
}

/// Lists in lists, or options in options, too deep for any stack.
struct Deep {
    left: u32,
    kind: u8,
}

impl Serialize for Deep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return serializer.serialize_str("the bottom");
        };
        let inner = Deep { left, kind: self.kind };
        match self.kind {
            0 => {
                let mut list = serializer.serialize_seq(Some(1))?;
                list.serialize_element(&inner)?;
                list.end()
            }
            1 => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("unknown", &inner)?;
                map.end()
            }
            2 => serializer.serialize_some(&inner),
            3 => serializer.serialize_newtype_struct("Deep", &inner),
            4 => serializer.serialize_newtype_variant("Deep", 0, "unknown", &inner),
            _ => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&inner, &())?;
                map.end()
            }
        }
    }
}

#[test]
fn endless_nesting_is_cut_off() {
    for kind in 0..6 {
        let deep = Deep { left: 1_000_000, kind };
        let messages = BTreeMap::from([("messages", [&deep])]);
        assert!(tokens::chat(&messages).is_ok(), "{kind}");
        assert!(tokens::messages(&messages).is_ok(), "{kind}");
        assert!(tokens::generate_content("", &BTreeMap::from([("contents", [&deep])])).is_ok(), "{kind}");
        let _ = tokens::messages(&BTreeMap::from([("thinking", &deep), ("tools", &deep)]));
        let _ = tokens::generate_content("", &BTreeMap::from([("generationConfig", &deep)]));
        let _ = tokens::chat(&deep);
        let _ = tokens::chat(&BTreeMap::from([("max_tokens", &deep)]));
    }
}

#[test]
fn nesting_as_deep_as_json_allows_is_counted() {
    let cost = |left| {
        let messages = BTreeMap::from([("messages", [Deep { left, kind: 0 }])]);
        tokens::chat(&messages).unwrap().amount(&Dimension::InputTokens)
    };
    assert!(cost(120) > 120);
}

#[test]
fn a_type_that_cannot_be_serialized_is_an_error_with_its_words() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("the lock is poisoned"))
        }
    }
    for error in [
        tokens::chat(&Broken).unwrap_err(),
        tokens::chat(&BTreeMap::from([("messages", [Broken])])).unwrap_err(),
    ] {
        assert_eq!(error.field(), "messages");
        assert!(error.to_string().contains("the lock is poisoned"), "{error}");
    }
}
