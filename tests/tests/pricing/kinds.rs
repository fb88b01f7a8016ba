//! Tests of the prices of completions, embeddings and responses.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Cost, Dimension, ParamsError, tokens};
use serde_json::{Value, json};

fn count(model: &str, text: &str) -> u64 {
    tokens::count(model, text)
}

/// Returns what is missing in these params, in the words of the error.
fn missing(price: fn(&Value) -> Result<Cost, ParamsError>, params: Value) -> String {
    let error = price(&params).unwrap_err().to_string();
    error.strip_prefix("cannot read ").unwrap().to_owned()
}

#[test]
fn params_of_another_kind_are_sent_to_the_limiter_that_prices_them() {
    let (messages, input, prompt) =
        (json!({ "messages": [] }), json!({ "input": "x" }), json!({ "prompt": "x" }));
    let edit = json!({ "instruction": "Shorten it", "input": "x" });
    for (error, expected) in [
        (
            missing(tokens::chat, input.clone()),
            "`messages` of the params: the field is missing; for params with `input`, use a \
             `ResponsesRateLimiter` or an `EmbeddingRateLimiter`",
        ),
        (
            missing(tokens::chat, prompt.clone()),
            "`messages` of the params: the field is missing; for params with `prompt`, use a \
             `CompletionRateLimiter`",
        ),
        (
            missing(tokens::chat, edit),
            "`messages` of the params: the field is missing; for params with `instruction`, use a \
             `CompletionRateLimiter`",
        ),
        (
            missing(tokens::completion, messages.clone()),
            "`prompt` of the params: the field is missing, and so is every field that may replace it \
             (`instruction`); for params with `messages`, use a \
             `ChatRateLimiter` or a `MessagesRateLimiter`",
        ),
        (
            missing(tokens::completion, input),
            "`prompt` of the params: the field is missing, and so is every field that may replace it \
             (`instruction`); for params with `input`, use a `ResponsesRateLimiter` or an \
             `EmbeddingRateLimiter`",
        ),
        (
            missing(tokens::embedding, prompt),
            "`input` of the params: the field is missing; for params with `prompt`, use a \
             `CompletionRateLimiter`",
        ),
        (
            missing(tokens::responses, messages),
            "`input` of the params: the field is missing, and so is every field that may replace it \
             (`prompt`, `previous_response_id`, `conversation`); for params with `messages`, use a \
             `ChatRateLimiter` or a `MessagesRateLimiter`",
        ),
        (missing(tokens::embedding, json!({})), "`input` of the params: the field is missing"),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn the_debug_output_of_a_cost_names_its_dimensions() {
    let cost = tokens::embedding(&json!({ "input": "Hello, world!" })).unwrap();
    assert_eq!(format!("{cost:?}"), "Cost { requests: 1, tokens: 4, input_tokens: 4 }");
    let cost = Cost::new().requests(0).with("audio_seconds", 12);
    assert_eq!(format!("{cost:?}"), "Cost { audio_seconds: 12 }");
}

mod completions {
    use super::*;

    const MODEL: &str = "gpt-3.5-turbo-instruct";

    fn cost(fields: Value) -> (u64, u64) {
        let mut params = json!({ "model": MODEL, "max_tokens": 10 });
        params.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let cost = tokens::completion(&params).unwrap();
        (cost.amount(&Dimension::InputTokens), cost.amount(&Dimension::OutputTokens))
    }

    #[test]
    fn a_prompt_is_a_text_or_tokens_and_one_or_several() {
        let text = count(MODEL, "Once upon a time");
        assert_eq!(cost(json!({ "prompt": "Once upon a time" })), (text, 10));
        assert_eq!(cost(json!({ "prompt": ["Once upon a time", "Once upon a time"] })), (2 * text, 20));
        assert_eq!(cost(json!({ "prompt": [1, 2, 3] })), (3, 10));
        assert_eq!(cost(json!({ "prompt": [[1, 2, 3], [4]] })), (4, 20));
        assert_eq!(cost(json!({ "prompt": [] })), (0, 10));
    }

    #[test]
    fn each_prompt_has_its_choices_and_its_suffix() {
        assert_eq!(cost(json!({ "prompt": ["a", "b"], "n": 3 })), (2, 60));
        assert_eq!(cost(json!({ "prompt": "a", "n": 2, "best_of": 5 })), (1, 50));
        assert_eq!(cost(json!({ "prompt": "a", "n": 2, "best_of": null })), (1, 20));
        let suffix = count(MODEL, " and they lived happily");
        assert_eq!(
            cost(json!({ "prompt": ["a", "b"], "suffix": " and they lived happily" })),
            (2 + 2 * suffix, 20)
        );
        assert_eq!(cost(json!({ "prompt": "a", "suffix": null, "max_tokens": null })), (1, 16));
    }

    #[test]
    fn an_edit_has_an_instruction_and_an_input_and_no_prompt() {
        let edit = |fields: Value| {
            let mut params = json!({ "model": "text-davinci-edit-001", "instruction": "Fix the spelling" });
            params.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let cost = tokens::completion(&params).unwrap();
            (cost.amount(&Dimension::InputTokens), cost.amount(&Dimension::OutputTokens))
        };
        let instruction = count("text-davinci-edit-001", "Fix the spelling");
        let input = count("text-davinci-edit-001", "What day of the wek is it?");
        assert_eq!(edit(json!({ "input": "What day of the wek is it?", "n": 2 })), (instruction + input, 32));
        for none in [json!({}), json!({ "input": "" }), json!({ "input": null })] {
            assert_eq!(edit(none), (instruction, 16));
        }
        for instruction in [json!(null), json!(5)] {
            let error = tokens::completion(&json!({ "instruction": instruction, "input": "x" })).unwrap_err();
            assert_eq!(error.field(), "prompt");
        }
    }

    #[test]
    fn an_invalid_prompt_is_an_error() {
        for prompt in [json!(null), json!(5), json!({ "text": "x" }), json!(true)] {
            let error = tokens::completion(&json!({ "prompt": prompt })).unwrap_err();
            assert_eq!(error.field(), "prompt");
        }
        let error = tokens::completion(&json!({ "prompt": "a", "best_of": -1 })).unwrap_err();
        assert_eq!(error.field(), "best_of");
    }
}

mod embeddings {
    use super::*;

    const MODEL: &str = "text-embedding-3-small";

    fn cost(input: Value) -> u64 {
        let cost = tokens::embedding(&json!({ "model": MODEL, "input": input, "max_tokens": 50 })).unwrap();
        assert_eq!(cost.amount(&Dimension::OutputTokens), 0);
        cost.amount(&Dimension::Tokens)
    }

    #[test]
    fn an_input_is_a_text_or_tokens_and_one_or_several() {
        let text = count(MODEL, "The food was delicious");
        assert_eq!(cost(json!("The food was delicious")), text);
        assert_eq!(cost(json!(["The food was delicious", "The food was delicious"])), 2 * text);
        assert_eq!(cost(json!([100_000, 2, 3])), 3);
        assert_eq!(cost(json!([[1, 2, 3], [4], []])), 4);
    }

    #[test]
    fn an_invalid_input_is_an_error() {
        for params in [json!({}), json!({ "input": null }), json!({ "input": 5 }), json!({ "input": {} })] {
            assert_eq!(tokens::embedding(&params).unwrap_err().field(), "input");
        }
    }
}

mod responses {
    use super::*;

    const MODEL: &str = "gpt-5";

    /// The largest image that the model takes.
    const IMAGE: u64 = 70 + 8 * 140;

    fn cost(params: Value) -> u64 {
        let mut params = params;
        params["model"] = json!(MODEL);
        tokens::responses(&params).unwrap().amount(&Dimension::InputTokens)
    }

    #[test]
    fn a_text_is_a_message_of_the_user() {
        let text = cost(json!({ "input": "Why is the sky blue?" }));
        assert_eq!(text, 3 + 4 + count(MODEL, "Why is the sky blue?"));
        assert_eq!(cost(json!({ "input": [{ "role": "user", "content": "Why is the sky blue?" }] })), text);
        let parts = json!([{ "type": "input_text", "text": "Why is the sky blue?" }]);
        assert_eq!(cost(json!({ "input": [{ "type": "message", "role": "user", "content": parts }] })), text);
    }

    #[test]
    fn instructions_are_a_message_of_the_system() {
        let both = cost(json!({ "instructions": "Be brief.", "input": "Why?" }));
        let items =
            json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Why?" }]);
        assert_eq!(both, cost(json!({ "input": items })));
        assert_eq!(cost(json!({ "instructions": null, "input": [] })), 3);
    }

    #[test]
    fn items_are_counted_by_what_the_model_reads_of_them() {
        let item = |item: Value| cost(json!({ "input": [item] })) - 3 - 4;
        let id = count(MODEL, "call_1");
        let arguments = r#"{"city":"Paris"}"#;
        assert_eq!(
            item(json!({
                "type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed",
                "name": "weather", "arguments": arguments,
            })),
            3 + id + count(MODEL, "weather") + 1 + count(MODEL, arguments),
        );
        assert_eq!(
            item(json!({ "type": "function_call_output", "call_id": "call_1", "output": "18 degrees" })),
            id + count(MODEL, "18 degrees"),
        );
        let output = json!([{ "type": "input_text", "text": "18 degrees" }, { "type": "input_image", "image_url": "x" }]);
        assert_eq!(
            item(json!({ "type": "function_call_output", "call_id": "call_1", "output": output })),
            id + count(MODEL, "18 degrees") + IMAGE,
        );
        assert_eq!(item(json!({ "type": "item_reference", "id": "msg_1" })), 0);
        assert_eq!(
            item(
                json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "So" }] })
            ),
            count(MODEL, "So"),
        );
        assert_eq!(
            item(json!({ "type": "reasoning", "summary": [], "encrypted_content": "gAAA".repeat(1000) })),
            1000,
        );
        let screenshot = json!({ "type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA" });
        assert_eq!(
            item(json!({ "type": "computer_call_output", "call_id": "call_1", "output": screenshot })),
            id + IMAGE
        );
        assert_eq!(
            item(json!({ "type": "image_generation_call", "result": "iVBORw0K".repeat(50_000) })),
            IMAGE
        );
    }

    #[test]
    fn images_and_files_of_unknown_size_have_the_highest_price() {
        let part = |part: Value| cost(json!({ "input": [{ "role": "user", "content": [part] }] })) - 3 - 4;
        let url = format!("data:image/png;base64,{}", "iVBO".repeat(50_000));
        assert_eq!(part(json!({ "type": "input_image", "image_url": url, "detail": "auto" })), IMAGE);
        assert_eq!(
            part(json!({ "type": "input_image", "image_url": null, "file_id": "file-1" })),
            (600 + IMAGE)
        );
        let file = json!({ "type": "input_file", "filename": "a.pdf", "file_data": url });
        assert_eq!(part(file), (600 + IMAGE) + count(MODEL, "a.pdf"));
    }

    #[test]
    fn tools_and_the_form_of_the_reply_are_counted() {
        let bare = cost(json!({ "input": "Why?" }));
        let tool = json!({ "type": "function", "name": "now", "strict": true, "parameters": null });
        assert_eq!(cost(json!({ "input": "Why?", "tools": [tool] })), bare + 12 + 7 + count(MODEL, "now"));
        let format = json!({ "type": "json_schema", "name": "reply", "schema": { "title": "The reply" } });
        assert!(cost(json!({ "input": "Why?", "text": { "format": format } })) > bare + 4);
        assert_eq!(
            cost(json!({ "input": "Why?", "text": { "format": { "type": "text" }, "verbosity": "low" } })),
            bare
        );
    }

    #[test]
    fn tools_that_the_provider_brings_have_a_price_of_their_own() {
        let with = |tools: Value| {
            cost(json!({ "input": "Why?", "tools": tools })) - cost(json!({ "input": "Why?" }))
        };
        let function = with(json!([{ "type": "function", "name": "now" }]));
        assert_eq!(with(json!([{ "type": "web_search" }])), 12 + 7 + 400);
        assert_eq!(
            with(json!([{ "type": "web_search" }, { "type": "function", "name": "now" }])),
            function + 7 + 400
        );
        let described =
            json!([{ "type": "mcp", "server_label": "maps", "server_description": "Knows the way" }]);
        assert!(with(described) >= 12 + 7 + 400 + count(MODEL, "maps") + count(MODEL, "Knows the way"));
        let custom = json!([{ "type": "custom", "name": "sh", "description": "Runs a command" }]);
        assert_eq!(with(custom), 12 + 7 + count(MODEL, "sh:Runs a command"));
    }

    #[test]
    fn a_stored_prompt_stands_in_for_the_input() {
        let variables = json!({ "city": "Paris", "photo": { "type": "input_image", "file_id": "file-1" } });
        let prompt = json!({ "id": "pmpt_1", "version": "2", "variables": variables });
        assert_eq!(cost(json!({ "prompt": prompt })), 3 + count(MODEL, "Paris") + (600 + IMAGE));
        assert_eq!(cost(json!({ "previous_response_id": "resp_1" })), 3);
        assert_eq!(cost(json!({ "conversation": "conv_1" })), 3);
        let error = tokens::responses(&json!({ "previous_response_id": null })).unwrap_err();
        assert_eq!(error.field(), "input");
        assert_eq!(tokens::responses(&json!({ "input": 5, "prompt": prompt })).unwrap_err().field(), "input");
    }

    #[test]
    fn the_output_is_the_largest_that_the_request_allows() {
        let output = |max: Value| {
            let params = json!({ "input": "Why?", "max_output_tokens": max });
            tokens::responses(&params).map(|cost| cost.amount(&Dimension::OutputTokens))
        };
        assert_eq!(output(json!(500)), Ok(500));
        assert_eq!(output(json!(null)), Ok(16));
        assert_eq!(output(json!("500")).unwrap_err().field(), "max_output_tokens");
    }
}
