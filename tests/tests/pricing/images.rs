//! Tests of the prices of images: by model, by detail, and by the size in the header of a data URL.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Dimension, tokens};
use serde_json::{Value, json};

/// Returns what the image alone costs in a chat.
fn chat(model: &str, image: &Value) -> u64 {
    let with = |content: Value| {
        let params = json!({ "model": model, "messages": [{ "role": "user", "content": content }] });
        tokens::chat(&params).unwrap().amount(&Dimension::InputTokens)
    };
    with(json!([{ "type": "image_url", "image_url": image }])) - with(json!([]))
}

/// Returns what the image alone costs in a response.
fn response(model: &str, fields: Value) -> u64 {
    let with = |content: Value| {
        let params = json!({ "model": model, "input": [{ "role": "user", "content": content }] });
        tokens::responses(&params).unwrap().amount(&Dimension::InputTokens)
    };
    let mut part = json!({ "type": "input_image" });
    part.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    with(json!([part])) - with(json!([]))
}

fn sized(model: &str, width: u32, height: u32) -> u64 {
    chat(model, &json!({ "url": url("png", &png(width, height)), "detail": "high" }))
}

fn url(format: &str, bytes: &[u8]) -> String {
    format!("data:image/{format};base64,{}", base64(bytes))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, &byte| number << 8 | u32::from(byte))
            << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(DIGITS[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text + &"=".repeat((3 - bytes.len() % 3) % 3)
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &sizes, &[8, 6, 0, 0, 0]].concat()
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    [b"GIF89a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes(), &[0, 0, 0]].concat()
}

/// A JPEG with metadata before the frame, the frame of a thumbnail in it, and padding.
fn jpeg(frame: u8, width: u16, height: u16) -> Vec<u8> {
    let thumbnail = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1];
    let metadata = [thumbnail.as_slice(), &[0; 40_000]].concat();
    let length = u16::try_from(metadata.len() + 2).unwrap().to_be_bytes();
    let start = [0xff, 0xd8, 0xff, 0xe1];
    let begins = [0xff, 0xff, frame, 0, 17, 8];
    [start.as_slice(), &length, &metadata, &begins, &height.to_be_bytes(), &width.to_be_bytes(), &[3]]
        .concat()
}

fn webp(chunk: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [b"RIFF\x40\0\0\0WEBP".as_slice(), chunk, &[0x30, 0, 0, 0], body].concat()
}

/// Returns an image of this size in every format and variant.
fn all(width: u16, height: u16) -> Vec<(&'static str, Vec<u8>)> {
    let (less, fewer) = (u32::from(width - 1), u32::from(height - 1));
    let lossy = [&[0, 0, 0, 0x9d, 1, 0x2a], width.to_le_bytes().as_slice(), &height.to_le_bytes()].concat();
    let lossless = [[0x2f].as_slice(), &(less | fewer << 14).to_le_bytes()].concat();
    let extended = [&[0; 4], &less.to_le_bytes()[..3], &fewer.to_le_bytes()[..3]].concat();
    vec![
        ("png", png(width.into(), height.into())),
        ("gif", gif(width, height)),
        ("jpeg", jpeg(0xc0, width, height)),
        ("jpeg", jpeg(0xc2, width, height)),
        ("webp", webp(b"VP8 ", &lossy)),
        ("webp", webp(b"VP8L", &lossless)),
        ("webp", webp(b"VP8X", &extended)),
    ]
}

#[test]
fn the_guides_examples_have_the_guides_price() {
    assert_eq!(sized("gpt-4o", 1024, 1024), 765);
    assert_eq!(sized("gpt-4o", 2048, 4096), 1105);
    assert_eq!(chat("gpt-4o", &json!({ "url": url("png", &png(4096, 8192)), "detail": "low" })), 85);
    assert_eq!(sized("gpt-4o", 128, 64), 85 + 170);
    assert_eq!(sized("gpt-4.1-mini", 1024, 1024), (1024 * 162_u64).div_ceil(100));
    assert_eq!(sized("gpt-4.1-mini", 1800, 2400), (1536 * 162_u64).div_ceil(100));
    assert_eq!(sized("gpt-5.4", 640, 480), 360);
}

#[test]
fn each_family_of_models_has_its_price() {
    // An image of two by two tiles, and of 32 by 32 patches.
    for (model, expected) in [
        ("gpt-4o", 85 + 4 * 170),
        ("openai/gpt-4o-2024-08-06", 85 + 4 * 170),
        ("gpt-4.1", 85 + 4 * 170),
        ("gpt-4.5-preview", 85 + 4 * 170),
        ("gpt-4o-mini", 2833 + 4 * 5667),
        ("gpt-5", 70 + 4 * 140),
        ("gpt-5-2025-08-07", 70 + 4 * 140),
        ("o1", 75 + 4 * 150),
        ("o3", 75 + 4 * 150),
        ("computer-use-preview", 65 + 4 * 129),
        ("gpt-5-mini", 1659),
        ("gpt-5-nano", 2520),
        ("gpt-4.1-nano", 2520),
        ("o4-mini", 1762),
        ("gpt-5.2", 1229),
        ("gpt-5.4", 1229),
        ("gpt-5.4-mini", 1659),
        ("gpt-5.4-nano", 2520),
        ("gpt-5.5", 1229),
        ("gpt-5.6", 1229),
        ("gpt-6", 1229),
        ("gpt-12", 1229),
    ] {
        assert_eq!(sized(model, 1024, 1024), expected, "{model}");
    }
}

#[test]
fn an_unknown_model_is_never_cheaper_than_a_newest_one() {
    for (width, height) in [(32, 32), (640, 480), (1024, 1024), (2048, 2048), (4800, 6400), (9000, 9000)] {
        for detail in ["low", "high", "auto", "original"] {
            let image = json!({ "url": url("png", &png(width, height)), "detail": detail });
            for (kind, known) in [
                ("", ["gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-6"].as_slice()),
                ("-mini", &["gpt-5.4-mini"]),
                ("-nano", &["gpt-5.4-nano"]),
            ] {
                let most = known.iter().map(|model| chat(model, &image)).max();
                for unknown in ["gpt-5.7", "gpt-6.1", "gpt-7", "GPT-12", "a-model-of-my-own"] {
                    let unknown = format!("{unknown}{kind}");
                    assert!(Some(chat(&unknown, &image)) >= most, "{unknown} {detail} {width} x {height}");
                }
            }
        }
    }
    let large = json!({ "url": url("png", &png(4800, 6400)), "detail": "original" });
    for model in ["gpt-5.6", "gpt-6", "gpt-7"] {
        assert_eq!(chat(model, &large), 36_000, "{model}");
    }
    assert_eq!(chat("gpt-5.4", &large), 12_000);
}

#[test]
fn an_image_of_unknown_size_is_the_largest_that_the_model_takes() {
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "gpt-5-mini", "gpt-5.4", "gpt-6", "gpt-12"] {
        for detail in ["low", "high", "auto", "original", "?"] {
            let unknown = chat(model, &json!({ "url": "https://a.example/b.png", "detail": detail }));
            for (width, height) in
                [(1, 1), (512, 512), (768, 2048), (5_000, 5_000), (1, u32::MAX), (u32::MAX, u32::MAX)]
            {
                let known = chat(model, &json!({ "url": url("png", &png(width, height)), "detail": detail }));
                assert!(known <= unknown, "{model} {detail} {width} x {height}: {known} > {unknown}");
            }
            let largest = chat(model, &json!({ "url": url("png", &png(7_680, 20_480)), "detail": detail }));
            assert_eq!(largest, unknown, "{model} {detail}");
        }
    }
}

#[test]
fn the_size_is_read_from_every_format() {
    for (width, height) in [(512, 512), (513, 100), (3000, 2000), (1, 16_383)] {
        for (format, bytes) in all(width, height) {
            let image = json!({ "url": url(format, &bytes), "detail": "high" });
            assert_eq!(
                chat("gpt-5.4", &image),
                sized("gpt-5.4", width.into(), height.into()),
                "{format} {bytes:?}"
            );
        }
    }
}

#[test]
fn what_follows_the_header_does_not_matter() {
    let header = base64(&png(512, 512)[..27]);
    for data in [
        header.clone(),
        header.clone() + "!!!!",
        header.clone() + &"A".repeat(1 << 20),
        header.replace('g', "\r\n g"),
    ] {
        let image = json!({ "url": format!("DATA:image/png;charset=x;BASE64,{data}"), "detail": "high" });
        assert_eq!(chat("gpt-4o", &image), 255);
    }
}

#[test]
fn a_truncated_or_false_header_means_an_unknown_size() {
    let unknown = chat("gpt-4o", &json!({ "url": "https://a.example/b.png", "detail": "high" }));
    let is_unknown = |text: &str| {
        assert_eq!(chat("gpt-4o", &json!({ "url": text, "detail": "high" })), unknown, "{text:.80}");
    };
    for (format, bytes) in all(100, 100) {
        // The offset after which the size must be known.
        let end = bytes.len()
            - match format {
                "png" => 5,
                "gif" => 3,
                "jpeg" => 1,
                _ => 0,
            };
        for length in (0..end.min(64)).chain([end - 1]) {
            is_unknown(&url(format, &bytes[..length]));
        }
    }
    is_unknown(&url("png", &png(0, 100)));
    is_unknown(&url("png", &png(100, 0)));
    is_unknown(&url("gif", &gif(0, 0)));
    is_unknown(&url("jpeg", &[0xff, 0xd8, 0xff, 0xe0, 0, 1, 0xff, 0xc0, 0, 17, 8, 0, 9, 0, 9]));
    is_unknown(&url("jpeg", &[0xff, 0xd8, 0xff, 0xd9, 0xff, 0xc0, 0, 17, 8, 0, 9, 0, 9]));
    is_unknown(&url("jpeg", &[0xff; 1 << 20]));
    is_unknown(&url("jpeg", &[[0xff, 0xd8].as_slice(), &[0xff, 0xe0, 0, 2].repeat(1 << 18)].concat()));
    is_unknown(&format!("data:image/png;base64,{}", " ".repeat(1 << 20)));
    for text in
        ["", "data:", "data:,", "data:image/png,abc", "data:image/png;base64", "data:;base64,é", "dataé"]
    {
        is_unknown(text);
    }
}

#[test]
fn detail_counts_in_any_position() {
    let url = url("png", &png(1024, 1024));
    for image in [
        json!({ "detail": "low", "url": url }).to_string(),
        format!(r#"{{"url":"{url}","detail":"low"}}"#),
        format!(r#"{{"detail":"low","url":"{url}"}}"#),
    ] {
        let raw = serde_json::from_str::<Value>(&image).unwrap();
        assert_eq!(chat("gpt-4o", &raw), 85);
    }
    assert_eq!(chat("gpt-4o", &json!({ "url": url })), 765);
    assert_eq!(chat("gpt-4o", &json!({ "url": url, "detail": null })), 765);
    assert_eq!(chat("gpt-4o", &json!(url)), 765);
    assert_eq!(response("gpt-4o", json!({ "image_url": url, "detail": "low" })), 85);
    assert_eq!(response("gpt-4o", json!({ "image_url": url, "detail": "auto" })), 765);
    assert_eq!(response("gpt-5", json!({ "image_url": "https://a.example/b.png" })), 70 + 8 * 140);
}

#[test]
fn the_detail_of_an_image_does_not_affect_the_next_one() {
    let url = url("png", &png(1024, 1024));
    let part = |detail: &str| json!({ "type": "input_image", "image_url": url, "detail": detail });
    let params = json!({ "model": "gpt-4o", "input": [{ "role": "user", "content": [part("low"), part("high"), part("low")] }] });
    let bare = json!({ "model": "gpt-4o", "input": [{ "role": "user", "content": [] }] });
    let input = |params: &Value| tokens::responses(params).unwrap().amount(&Dimension::InputTokens);
    assert_eq!(input(&params) - input(&bare), 85 + 765 + 85);
}
