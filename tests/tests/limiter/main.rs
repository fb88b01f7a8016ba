//! Tests of what users hold: a limiter's construction, its permits, its errors and its status.

mod accessors;
mod bad_input;
mod python_defects;
mod status;
