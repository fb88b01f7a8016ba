//! Tests of what users hold: a limiter's construction, its errors and its status.

mod bad_input;
mod python_defects;
mod status;
