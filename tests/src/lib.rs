//! What the behaviour tests share.

pub mod meter;
