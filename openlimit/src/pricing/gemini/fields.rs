//! The fields of a request, and of the maps in it, by their names in camelCase.
//!
//! Source: `GenerateContentRequest`, `Content`, `Part`, `Tool` and `GenerationConfig` in the
//! reference of the Gemini API and of Vertex AI, of September 2026.

use super::media::RESOLUTIONS;
use super::place::Place;
use crate::pricing::common::{Fields, First, Plain};

/// The fields of a request to `generateContent`.
pub(super) static FIELDS: Fields<Place> = Fields {
    body: "contents",
    expected: "a list of contents",
    text: false,
    in_place_of_body: &[],
    first: &[
        (&["generationConfig", "maxOutputTokens"], First::Output),
        (&["generationConfig", "candidateCount"], First::Choices),
        (&["generationConfig", "thinkingConfig", "thinkingBudget"], First::Thinking),
        (&["generationConfig", "mediaResolution"], First::Word(RESOLUTIONS)),
    ],
    snake_case_too: true,
    counted: &[
        ("contents", Place::Contents),
        ("systemInstruction", Place::Content),
        ("tools", Place::Tools),
        ("generationConfig", Place::Generation),
    ],
    settings: &[
        "cachedContent",
        "labels",
        "modelArmorConfig",
        "safetySettings",
        "serviceTier",
        "store",
        "toolConfig",
    ],
};

/// The settings of the reply that only the API reads.
const GENERATION: [&str; 25] = [
    "audioTimestamp",
    "candidateCount",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "modelConfig",
    "modelSelectionConfig",
    "presencePenalty",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "routingConfig",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
    "translationConfig",
    "videoConfig",
];

/// The fields of a tool that have no rule of their own: tools that Google runs, and their settings.
pub(super) const TOOLS: [&str; 10] = [
    "codeExecution",
    "computerUse",
    "enterpriseWebSearch",
    "fileSearch",
    "googleMaps",
    "googleSearch",
    "googleSearchRetrieval",
    "mcpServers",
    "retrieval",
    "urlContext",
];

/// Returns the place of a field of a content, or `None` to skip it.
pub(super) fn content(name: &str) -> Option<Place> {
    match name {
        // Part of the price of a content.
        "role" => None,
        "parts" => Some(Place::Parts),
        _ => Some(Plain::unknown(name).into()),
    }
}

/// Returns the place of a field of a part, or `None` to skip it.
pub(super) fn part(number: u32, name: &str) -> Option<Place> {
    Some(match name {
        "text" => Place::TEXT,
        "inlineData" | "fileData" => Place::Blob(number),
        "mediaResolution" => Place::Resolution(number),
        "videoMetadata" => Place::Video(number),
        "functionCall" | "toolCall" => Place::Call,
        "functionResponse" | "toolResponse" => Place::Response,
        "executableCode" | "codeExecutionResult" => Plain::Value.into(),
        "thoughtSignature" => Place::Sealed,
        "thought" | "partMetadata" => return None,
        _ => Plain::unknown(name).into(),
    })
}

/// Returns the place of a field of a file, or `None` to skip it.
pub(super) fn blob(part: u32, name: &str) -> Option<Place> {
    Some(match name {
        "mimeType" => Place::MimeType(part),
        "data" => Place::Data(part),
        "fileUri" => Place::Uri(part),
        "displayName" => return None,
        _ => Plain::unknown(name).into(),
    })
}

/// Returns the place of a field of a resolution, or `None` to skip it.
pub(super) fn resolution(part: u32, name: &str) -> Option<Place> {
    match name {
        "level" => Some(Place::Resolution(part)),
        "numTokens" => None,
        _ => Some(Plain::unknown(name).into()),
    }
}

/// Returns the place of a field of a video's metadata.
pub(super) fn video(part: u32, name: &str) -> Place {
    match name {
        "startOffset" => Place::Start(part),
        "endOffset" => Place::End(part),
        "fps" => Place::Frames(part),
        _ => Plain::unknown(name).into(),
    }
}

/// Returns the place of a field of a call, or `None` to skip it.
pub(super) fn call(name: &str) -> Option<Place> {
    Some(match name {
        "name" | "toolType" => Place::TEXT,
        "args" | "partialArgs" => Place::JSON,
        "id" | "willContinue" => return None,
        _ => Plain::unknown(name).into(),
    })
}

/// Returns the place of a field of the result of a call, or `None` to skip it.
pub(super) fn response(name: &str) -> Option<Place> {
    Some(match name {
        "name" | "toolType" => Place::TEXT,
        "response" => Place::JSON,
        "parts" => Place::Parts,
        "id" | "willContinue" | "scheduling" => return None,
        _ => Plain::unknown(name).into(),
    })
}

/// Returns the place of a setting of the reply, or `None` if only the API reads it.
pub(super) fn generation(name: &str) -> Option<Place> {
    match name {
        "responseSchema" | "responseJsonSchema" | "ResponseJsonSchema" | "responseFormat" => {
            Some(Place::JSON)
        }
        _ if GENERATION.contains(&name) => None,
        _ => Some(Plain::unknown(name).into()),
    }
}
