//! Counting the tokens of texts and of requests.

use serde::Serialize;

use crate::{Cost, ParamsError};

pub(crate) fn price_chat<T: Serialize + ?Sized>(_: &T, default_output: u64) -> Result<Cost, ParamsError> {
    Ok(Cost::derived(1, default_output))
}

pub(crate) fn price_completion<T: Serialize + ?Sized>(
    _: &T,
    default_output: u64,
) -> Result<Cost, ParamsError> {
    Ok(Cost::derived(1, default_output))
}

pub(crate) fn price_embedding<T: Serialize + ?Sized>(
    _: &T,
    default_output: u64,
) -> Result<Cost, ParamsError> {
    Ok(Cost::derived(1, default_output))
}

pub(crate) fn price_responses<T: Serialize + ?Sized>(
    _: &T,
    default_output: u64,
) -> Result<Cost, ParamsError> {
    Ok(Cost::derived(1, default_output))
}
