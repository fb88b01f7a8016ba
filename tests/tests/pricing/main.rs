//! Tests of what a request costs: the tokens that are read from it before it is sent.

mod admission;
mod chat;
mod clients;
mod images;
mod kinds;
mod models;
mod original;
mod properties;
mod safety;
mod shapes;
mod unknown;
