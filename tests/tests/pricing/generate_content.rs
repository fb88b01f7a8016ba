//! Tests of the price of a request to Gemini's `generateContent`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::tokens::WithModel;
use openlimit::{
    AcquireError, Cost, Dimension, GenerateContentRateLimiter, Rate, kind, limiter, rate_limited, tokens,
};
use serde_json::{Map, Value, json};

use super::images::{base64, png};
use super::messages::Bytes;
use super::unknown;

/// What each content adds.
const CONTENT: u64 = 1;

fn request(fields: &Value) -> Value {
    let mut request = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

fn cost(fields: &Value) -> Cost {
    tokens::generate_content("gemini-3-pro", &request(fields)).unwrap()
}

fn input(cost: &Cost) -> u64 {
    cost.amount(&Dimension::InputTokens)
}

fn output(config: &Value) -> u64 {
    cost(&json!({ "generationConfig": config })).amount(&Dimension::OutputTokens)
}

fn bytes_of(model: &str, fields: &Value) -> u64 {
    let minute = Rate::per_minute(1_000_000);
    let limiter =
        GenerateContentRateLimiter::builder().input_tokens(minute).tokenizer(Bytes).build().unwrap();
    let request = request(fields);
    let cost = limiter.cost(WithModel::new(model, &request)).unwrap();
    assert_eq!(limiter.cost(WithModel::new(model, &snake(&request))).unwrap(), cost, "in snake_case");
    input(&cost)
}

/// Returns the tokens of texts, with a factor of one for each byte.
fn bytes(fields: &Value) -> u64 {
    bytes_of("gemini-3-pro", fields)
}

/// Writes the names of all fields in snake_case, except for the user's own.
fn snake(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let mut name = String::new();
                for letter in key.chars() {
                    if letter.is_ascii_uppercase() {
                        name.push('_');
                    }
                    name.push(letter.to_ascii_lowercase());
                }
                let own = matches!(
                    key.as_str(),
                    "args" | "response" | "functionDeclarations" | "responseSchema" | "responseJsonSchema"
                );
                (name, if own { value.clone() } else { snake(value) })
            };
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(snake).collect(),
        value => value.clone(),
    }
}

/// Returns what a part adds to a content.
fn part_of(model: &str, part: &Value, config: &Value) -> u64 {
    let with = |parts: Value| {
        bytes_of(
            model,
            &json!({ "contents": [{ "role": "user", "parts": parts }], "generationConfig": config }),
        )
    };
    with(json!([part])) - with(json!([]))
}

fn part(added: &Value) -> u64 {
    part_of("gemini-3-pro", added, &json!({}))
}

fn inline(mime: &str, data: &str) -> Value {
    json!({ "inlineData": { "mimeType": mime, "data": data } })
}

fn file(mime: &str) -> Value {
    json!({ "fileData": { "mimeType": mime, "fileUri": "https://a.example/files/1" } })
}

fn unknown_fields(fields: &Value) -> Vec<String> {
    tokens::unknown_fields::<kind::GenerateContent>(&request(fields)).unwrap()
}

/// The examples of Google's page about tokens. An estimate may be a quarter too high, and is not
/// too low.
#[test]
fn a_request_costs_about_what_google_counts() {
    let turn = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
    for (contents, counted) in [
        (json!([turn("user", "The quick brown fox jumps over the lazy dog.")]), 11_u64),
        (json!([turn("user", "Hi my name is Bob"), turn("model", "Hi Bob!")]), 10),
    ] {
        let input =
            input(&tokens::generate_content("gemini-2.5-flash", &json!({ "contents": contents })).unwrap());
        assert!((counted..=counted + counted.div_ceil(4)).contains(&input), "{input} of {counted}");
    }
}

#[test]
fn a_content_costs_its_texts() {
    assert_eq!(bytes(&json!({})), CONTENT + 2);
    assert_eq!(bytes(&json!({ "contents": [] })), 0);
    let turns = json!([
        { "role": "user", "parts": [{ "text": "12345" }, { "text": "678" }] },
        { "role": "model", "parts": [{ "text": "90" }] },
        { "parts": { "text": "1" } },
    ]);
    assert_eq!(bytes(&json!({ "contents": turns })), 3 * CONTENT + 8 + 2 + 1);
}

#[test]
fn a_system_instruction_is_a_content_or_a_text() {
    for system in [
        json!({ "parts": [{ "text": "12345" }] }),
        json!({ "role": "system", "parts": { "text": "12345" } }),
        json!("12345"),
    ] {
        assert_eq!(bytes(&json!({ "systemInstruction": system })) - bytes(&json!({})), CONTENT + 5);
    }
}

#[test]
fn each_kind_of_part_has_its_price() {
    let sealed = "EqoBCkgIARAB".repeat(10);
    for (added, expected) in [
        (json!({ "text": "12345" }), 5),
        (json!({ "text": "12345", "thought": true, "thoughtSignature": sealed }), 5 + 30),
        // The name, the key and its value, and their punctuation.
        (
            json!({ "functionCall": { "id": "1", "name": "get", "args": { "cityName": "Bonn" } } }),
            3 + 8 + 4 + 2,
        ),
        (
            json!({ "functionResponse": { "id": "1", "name": "get", "response": { "degreesNow": 18 } } }),
            3 + 10 + 1 + 2,
        ),
        (
            json!({ "functionResponse": { "name": "get", "response": {}, "parts": [file("image/png")] } }),
            3 + 1_120,
        ),
        (json!({ "executableCode": { "language": "PYTHON", "code": "1+1" } }), 8 + 6 + 4 + 3 + 2 * 2),
        (json!("12345"), 5),
    ] {
        assert_eq!(part(&added), expected, "{added}");
        let contents = json!({ "contents": [{ "parts": [added] }] });
        assert_eq!(unknown_fields(&contents), [""; 0], "{added}");
    }
}

#[test]
fn an_image_costs_tiles_up_to_gemini_2_and_a_level_from_gemini_3_on() {
    let sized = |width, height| inline("image/png", &base64(&png(width, height)));
    for (model, image, expected) in [
        ("gemini-2.5-flash", sized(384, 384), 258),
        ("gemini-2.5-flash", sized(960, 540), 6 * 258),
        ("gemini-2.0-flash", sized(4_000, 4_000), 4 * 258),
        ("models/gemini-2.5-pro", file("image/png"), 8 * 258),
        ("gemini-2.5-pro", inline("image/heic", &unknown::base64(50_000)), 8 * 258),
        ("gemini-3-pro", sized(384, 384), 1_120),
        ("gemini-3.1-flash", file("image/jpeg"), 1_120),
        ("gemini-flash-latest", file("image/jpeg"), 1_120),
        ("a-model-of-my-own", file("image/jpeg"), 1_120),
    ] {
        assert_eq!(part_of(model, &image, &json!({})), expected, "{model} {image}");
    }
}

#[test]
fn the_resolution_of_the_request_or_of_the_part_decides() {
    for (resolution, image, frame, page) in [
        ("MEDIA_RESOLUTION_LOW", 280, 70, 280),
        ("MEDIA_RESOLUTION_MEDIUM", 560, 70, 560),
        ("MEDIA_RESOLUTION_HIGH", 1_120, 280, 1_120),
        ("media_resolution_ultra_high", 2_240, 280, 1_120),
        ("MEDIA_RESOLUTION_UNSPECIFIED", 1_120, 70, 560),
        ("a new one", 1_120, 70, 560),
    ] {
        for (mime, expected) in
            [("image/png", image), ("video/mp4", 60 * (frame + 32)), ("application/pdf", 600 + page)]
        {
            let config = json!({ "mediaResolution": resolution });
            assert_eq!(part_of("gemini-3-pro", &file(mime), &config), expected, "{resolution} {mime}");
            let mut own = file(mime);
            own["mediaResolution"] = json!({ "level": resolution });
            assert_eq!(part(&own), expected, "{resolution} {mime}");
            own["mediaResolution"] = resolution.into();
            assert_eq!(part(&own), expected, "{resolution} {mime}");
        }
    }
    let low = json!({ "mediaResolution": "MEDIA_RESOLUTION_LOW" });
    assert_eq!(part_of("gemini-2.5-flash", &file("image/png"), &low), 66);
    assert_eq!(part_of("gemini-2.5-flash", &file("video/mp4"), &low), 60 * (66 + 32));
    assert_eq!(part_of("gemini-2.5-flash", &file("video/mp4"), &json!({})), 60 * (258 + 32));
    let mut own = file("image/png");
    own["mediaResolution"] = json!({ "level": "MEDIA_RESOLUTION_HIGH" });
    assert_eq!(part_of("gemini-3-pro", &own, &low), 1_120);
}

#[test]
fn the_length_of_a_sound_or_a_video_follows_from_its_bytes_or_its_offsets() {
    assert_eq!(part(&file("audio/mp3")), 60 * 32);
    // Two minutes of 128 kbit a second, and one of 2 Mbit.
    let sound = unknown::base64(2 * 60 * 16_000 / 3 * 4);
    assert_eq!(part(&inline("audio/mp3", &sound)), 120 * 32);
    let video = unknown::base64(60 * 250_000 / 3 * 4);
    assert_eq!(part(&inline("video/mp4", &video)), 60 * 102);
    let mut clip = file("video/mp4");
    for (metadata, seconds, frames) in [
        (json!({ "startOffset": "40s", "endOffset": "80s" }), 40, 1),
        (json!({ "endOffset": "90.5s" }), 90, 1),
        (json!({ "endOffset": "10s", "fps": 5 }), 10, 5),
        (json!({ "endOffset": "10s", "fps": 0.5 }), 10, 1),
        (json!({ "startOffset": "80s", "endOffset": "40s" }), 0, 1),
        (json!({ "startOffset": "x", "endOffset": "y", "fps": -1 }), 60, 1),
    ] {
        clip["videoMetadata"] = metadata;
        assert_eq!(part(&clip), seconds * (frames * 70 + 32), "{clip}");
    }
}

#[test]
fn a_document_costs_a_page_and_a_text_its_bytes() {
    assert_eq!(part(&file("application/pdf")), 600 + 560);
    assert_eq!(part(&inline("application/pdf", &unknown::base64(1_000_000))), 600 + 560);
    assert_eq!(part(&file("text/plain")), 600);
    assert_eq!(part(&inline("text/csv", &unknown::base64(4_000))), 1_000);
    assert_eq!(part(&json!({ "fileData": { "fileUri": "https://youtu.be/1" } })), 600 + 560);
    let bare = json!({ "inlineData": { "data": base64(&png(5, 5)) } });
    assert_eq!(part(&bare), 1_120);
}

#[test]
fn unknown_parts_and_fields_count_as_their_text() {
    let new = json!({ "hologram": { "shape": "a very long and winding shape" } });
    assert!(part(&new) > 30);
    let fields = json!({
        "contents": [{ "parts": [new], "mood": "good" }],
        "generationConfig": { "newSetting": "x" },
        "promptStyle": "terse",
    });
    assert_eq!(
        unknown_fields(&fields),
        ["contents[0].mood", "contents[0].parts[0].hologram", "generationConfig.newSetting", "promptStyle"]
    );
    let bytes = json!({ "hologram": unknown::base64(1_000_000) });
    assert!(part(&bytes) < 2_000);
}

#[test]
fn settings_cost_nothing() {
    let settings = json!({
        "cachedContent": "cachedContents/1",
        "labels": { "team": "a" },
        "model": "models/gemini-3-pro",
        "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["a"] } },
        "generationConfig": {
            "stopSequences": ["Title"], "responseMimeType": "application/json", "temperature": 1.0, "topP": 0.8,
            "topK": 10, "seed": 5, "responseModalities": ["TEXT"], "speechConfig": {}, "presencePenalty": 0.1,
            "thinkingConfig": { "thinkingLevel": "LOW", "includeThoughts": true },
        },
    });
    assert_eq!(cost(&settings), cost(&json!({})));
    assert_eq!(unknown_fields(&settings), [""; 0]);
    let snaked = json!({ "cached_content": "c", "tool_config": { "a": 1 }, "safety_settings": [] });
    assert_eq!(cost(&snaked), cost(&json!({})));
    assert_eq!(unknown_fields(&snaked), [""; 0]);
}

#[test]
fn tools_and_schemas_cost_their_json() {
    let schema = json!({ "type": "OBJECT", "properties": { "cityName": { "type": "STRING" } }, "required": ["cityName"] });
    let function = json!({ "name": "get_weather", "description": "Get the weather", "parameters": schema });
    let with = |fields: Value| bytes(&fields) - bytes(&json!({}));
    let json = function.to_string().len() as u64;
    let one = with(json!({ "tools": [{ "functionDeclarations": [function] }] }));
    assert!((json - 30..json + 20).contains(&one), "{one} {json}");
    let two = json!({ "tools": [{ "functionDeclarations": [function, function] }] });
    assert_eq!(with(two.clone()), 2 * one);
    assert_eq!(unknown_fields(&two), [""; 0]);

    let search = json!({ "tools": [{ "googleSearch": {} }, { "codeExecution": {} }] });
    assert!(with(search.clone()) > 0);
    assert_eq!(unknown_fields(&search), [""; 0]);

    let json = schema.to_string().len() as u64;
    for name in ["responseSchema", "responseJsonSchema"] {
        let fields = json!({ "generationConfig": { name: schema } });
        let added = with(fields.clone());
        assert!((json - 20..json + 20).contains(&added), "{added} {json}");
        assert_eq!(unknown_fields(&fields), [""; 0]);
    }
}

#[test]
fn the_output_is_what_is_expected_and_at_most_the_maximum() {
    assert_eq!(output(&json!({})), 500);
    assert_eq!(output(&json!({ "maxOutputTokens": 8_192 })), 500);
    assert_eq!(output(&json!({ "maxOutputTokens": 100 })), 100);
    assert_eq!(output(&json!({ "max_output_tokens": 100, "candidate_count": 3 })), 300);
    assert_eq!(
        output(&json!({ "maxOutputTokens": 8_192, "thinkingConfig": { "thinkingBudget": 1_024 } })),
        1_524
    );
    assert_eq!(output(&json!({ "thinking_config": { "thinking_budget": 1_024 } })), 1_524);
    assert_eq!(output(&json!({ "thinkingConfig": { "thinkingBudget": -1 } })), 500);
    assert_eq!(output(&json!({ "thinkingConfig": { "thinkingBudget": 0 } })), 500);
    assert_eq!(output(&json!({ "candidateCount": u64::MAX, "maxOutputTokens": u64::MAX })), u64::MAX);
}

#[test]
fn a_wrong_shape_names_the_field() {
    for (fields, field, problem) in [
        (json!({ "contents": "Hi" }), "contents", "expected a list of contents, found a string"),
        (json!({ "contents": {} }), "contents", "expected a list of contents, found a map"),
        (json!({ "contents": null }), "contents", "the field is missing"),
        (json!({ "model": [] }), "model", "expected a string, found a list"),
        (json!({ "generationConfig": [] }), "generationConfig", "expected a map of settings, found a list"),
        (
            json!({ "generation_config": { "max_output_tokens": "5" } }),
            "generationConfig.maxOutputTokens",
            "expected a non-negative integer, found a string",
        ),
        (
            json!({ "generationConfig": { "candidateCount": -2 } }),
            "generationConfig.candidateCount",
            "expected a non-negative integer, found -2",
        ),
        (
            json!({ "generationConfig": { "thinkingConfig": { "thinkingBudget": 0.5 } } }),
            "generationConfig.thinkingConfig.thinkingBudget",
            "expected a non-negative integer, found 0.5",
        ),
    ] {
        let error = tokens::generate_content("gemini-3-pro", &request(&fields)).unwrap_err();
        assert_eq!(error.field(), field);
        assert_eq!(error.to_string(), format!("cannot read `{field}` of the params: {problem}"));
    }
    let error = tokens::generate_content("", &json!({ "messages": [] })).unwrap_err().to_string();
    assert!(error.ends_with("use a `ChatRateLimiter` or a `MessagesRateLimiter`"), "{error}");
}

#[test]
fn content_of_any_shape_has_a_price() {
    for strange in [
        json!(null),
        json!(5),
        json!(true),
        json!([[[["x"]]]]),
        json!({ "parts": { "parts": { "inlineData": 5, "fileData": ["x"], "videoMetadata": "x", "functionCall": [] } } }),
        json!([{ "inlineData": { "data": 5, "mimeType": {} }, "mediaResolution": [5], "thoughtSignature": {} }]),
    ] {
        for place in ["systemInstruction", "tools", "toolConfig"] {
            let mut fields = json!({});
            fields[place] = strange.clone();
            let _ = cost(&fields);
        }
        let contents = json!([strange.clone(), { "role": strange.clone(), "parts": strange }]);
        let _ = cost(&json!({ "contents": contents }));
    }
}

mod limiters {
    use super::*;

    limiter! {
        static FLASH: GenerateContentRateLimiter = {
            requests: 1_000 / minute,
            input_tokens: 1_000_000 / minute,
            model: "gemini-2.5-flash",
        };
        static ANY: GenerateContentRateLimiter = { input_tokens: 1_000_000 / minute };
    }

    #[rate_limited(limiter = FLASH, params = request)]
    fn call(request: &Value) -> Result<(), AcquireError> {
        let _ = request;
        Ok(())
    }

    #[test]
    fn the_model_is_the_requests_or_the_paths_or_the_limiters() {
        let image = json!({ "contents": [{ "parts": [file("image/png")] }] });
        let (old, new) = (CONTENT + 8 * 258, CONTENT + 1_120);
        assert_eq!(input(&FLASH.cost(&image).unwrap()), old);
        assert_eq!(input(&ANY.cost(&image).unwrap()), new);
        assert_eq!(input(&ANY.cost(WithModel::new("gemini-2.5-flash", &image)).unwrap()), old);
        let other = WithModel::new("gemini-3-pro", &image);
        assert_eq!(input(&FLASH.cost(&other).unwrap()), new);
        assert_eq!(input(&FLASH.cost(other).unwrap()), new);
        let mut named = image.clone();
        named["model"] = "models/gemini-3-pro".into();
        assert_eq!(input(&FLASH.cost(&named).unwrap()), new);
        assert_eq!(input(&FLASH.cost(WithModel::new("gemini-2.5-flash", &named)).unwrap()), new);
        call(&image).unwrap();
        drop(ANY.acquire(WithModel::new("gemini-2.5-flash", &image)).blocking().unwrap());
    }
}
