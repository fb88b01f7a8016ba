//! Tools: functions, which the cookbook's formula counts, and tools that the provider runs.
//!
//! The formula counts each name and its description as one text with a colon between them. Of a
//! parameter's schema it counts names, types, descriptions and enumerations. Other keywords of a
//! schema count as JSON.

use super::rules::Rules;
use crate::pricing::common::Plain;
use crate::pricing::openai::formula;
use crate::pricing::openai::place::{Place, ToolPlace};
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

/// The fields of tools that have no rule of their own. Most are settings of tools that the provider
/// runs.
///
/// Source: `Tool` in OpenAI's OpenAPI specification, version 2.3.0 of August 2026.
const SETTINGS: [&str; 38] = [
    "action",
    "allowed_callers",
    "allowed_tools",
    "authorization",
    "background",
    "connector_id",
    "container",
    "defer_loading",
    "display_height",
    "display_width",
    "environment",
    "execution",
    "external_web_access",
    "filters",
    "format",
    "headers",
    "input_fidelity",
    "input_image_mask",
    "max_num_results",
    "model",
    "moderation",
    "output_compression",
    "output_format",
    "output_schema",
    "partial_images",
    "quality",
    "ranking_options",
    "require_approval",
    "search_content_types",
    "search_context_size",
    "server_description",
    "server_label",
    "server_url",
    "size",
    "tools",
    "tunnel_id",
    "user_location",
    "vector_store_ids",
];

impl Rules for ToolPlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(match (&mut *self, key) {
            (Self::One, "type") => Place::Tool(Self::Type),
            (Self::One | Self::Function, "type" | "strict") => return None,
            (Self::One | Self::Function, "function" | "custom") => Place::Tool(Self::Function),
            (Self::One | Self::Function, "name") => Place::Tool(Self::Heading),
            (Self::One | Self::Function, "description") => Place::Tool(Self::Label),
            (Self::One | Self::Function, "parameters") => Place::Tool(Self::Parameters),
            (Self::One | Self::Function, _) if SETTINGS.contains(&key) => Plain::value(key).into(),
            (Self::One | Self::Function, _) => Plain::unknown(key).into(),

            (Self::Parameters, "type") | (Self::Parameters | Self::Property, "required") => return None,
            (Self::Parameters | Self::Property, "properties") => {
                Place::Tool(Self::Properties { begun: false })
            }
            (Self::Property, "type") | (Self::Parameters | Self::Property, "description") => {
                Place::Tool(Self::Label)
            }
            (Self::Property, "enum") => Place::Tool(Self::Enum),
            (Self::Property, "items") | (Self::Parameters | Self::Property, "additionalProperties") => {
                Place::Tool(Self::Property)
            }
            (Self::Parameters | Self::Property, _) => Plain::Json.field(tally, key).into(),

            (Self::Properties { begun }, _) => {
                let first = !std::mem::replace(begun, true);
                tally.add(formula::PROPERTY + if first { formula::PROPERTIES } else { 0 });
                tally.heading(key);
                Place::Tool(Self::Property)
            }
            (Self::Type, _) => return None,
            (Self::BuiltIn, _) => Plain::Value.field(tally, key).into(),
            (Self::All { .. } | Self::Heading | Self::Label | Self::Enum | Self::EnumItem, _) => {
                Plain::UNKNOWN.field(tally, key).into()
            }
        })
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(match self {
            Self::All { begun } => {
                if !std::mem::replace(begun, true) {
                    tally.add(formula::FUNCTIONS);
                }
                Place::Tool(Self::One)
            }
            Self::Label => Place::Tool(Self::Label),
            Self::Enum => Place::Tool(Self::EnumItem),
            Self::Type => return None,
            Self::One | Self::BuiltIn | Self::Function | Self::Heading | Self::Parameters => {
                Plain::UNKNOWN.item(tally).into()
            }
            Self::Properties { .. } | Self::Property | Self::EnumItem => Plain::UNKNOWN.item(tally).into(),
        })
    }

    #[inline]
    fn map(self, tally: &mut Tally<'_>) {
        match self {
            Self::One => tally.add(tally.prices.model.formula.function),
            Self::BuiltIn => tally.add(formula::BUILT_IN),
            Self::EnumItem => tally.add(formula::ENUM_ITEM),
            _ => {}
        }
    }

    #[inline]
    fn list(self, tally: &mut Tally<'_>) {
        match self {
            Self::Enum => tally.adjust(formula::ENUM),
            Self::EnumItem => tally.add(formula::ENUM_ITEM),
            _ => {}
        }
    }

    #[inline]
    fn null(self, tally: &mut Tally<'_>) {
        if let Self::EnumItem = self {
            tally.add(formula::ENUM_ITEM + 1);
        }
    }

    #[inline]
    fn boolean(self, tally: &mut Tally<'_>) {
        match self {
            Self::EnumItem => tally.add(formula::ENUM_ITEM + 1),
            // A property that is a boolean is `additionalProperties`, as a rule.
            Self::Type | Self::Property => {}
            _ => tally.add(1),
        }
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        match self {
            Self::EnumItem => tally.add(formula::ENUM_ITEM.saturating_add(number.tokens())),
            Self::Type => {}
            _ => tally.add(number.tokens()),
        }
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::Type if matches!(text, "function" | "custom") => {}
            Self::Type => tally.add(formula::BUILT_IN),
            Self::Heading => tally.heading(text),
            Self::Label => tally.label(text),
            Self::EnumItem => {
                tally.add(formula::ENUM_ITEM);
                tally.text(text);
            }
            _ => tally.text(text),
        }
    }
}
