//! Tests of prices: the cost that is read from a request before it is sent.

mod admission;
mod bodies;
mod chat;
mod clients;
mod fields;
mod genai_prices;
mod generate_content;
mod images;
mod integers;
mod kinds;
mod messages;
mod models;
mod original;
mod prices;
mod properties;
mod raw;
mod safety;
mod shapes;
mod unknown;
