//! `is_data`: tells files from texts.
//!
//! A request may hold a file in a field that this library does not know. Counted as text, its
//! base64 would cost far more than the provider charges.

/// Returns whether a string is the bytes of a file: base64 in a data URL, or a long run of base64.
pub(crate) fn is_data(text: &str) -> bool {
    // Hashes and signatures are shorter, and most files are longer.
    const LONG: usize = 1024;
    const END: &str = ";base64";
    match text.split_once(',') {
        Some((header, body)) => {
            let scheme = header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
            let end = header.len().checked_sub(END.len()).and_then(|at| header.get(at..));
            scheme && end.is_some_and(|end| end.eq_ignore_ascii_case(END)) && is_base64(body)
        }
        None => text.len() >= LONG && is_base64(text) && is_mixed(text),
    }
}

/// Returns whether all of it can be base64: one line, or lines of one length as in mail and PEM.
fn is_base64(text: &str) -> bool {
    // PEM has lines of 64 characters, mail of 76.
    const LINE: std::ops::RangeInclusive<usize> = 60..=76;
    let text = text.trim_ascii_end().trim_end_matches('=');
    let length = text.lines().next().map_or(0, str::len);
    let mut lines = text.lines().rev();
    lines.next().is_none_or(|last| last.len() <= length && is_line(last))
        && lines.all(|line| line.len() == length && LINE.contains(&length) && is_line(line))
}

fn is_line(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

/// Returns whether it has letters of both cases and digits, as long base64 does. Numbers, hashes
/// and most words do not.
fn is_mixed(text: &str) -> bool {
    let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}
