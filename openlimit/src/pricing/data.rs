//! `is_data`: telling files from texts.

/// Whether what stands in an unknown field is no text but bytes: base64, in a data URL or of some length.
pub(crate) fn is_data(text: &str) -> bool {
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

/// Whether all of it can be base64: in one line, or in lines of one length, as mail and PEM have them.
fn is_base64(text: &str) -> bool {
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

/// A long one has letters of both cases and digits. Numbers, hashes and most words have not.
fn is_mixed(text: &str) -> bool {
    let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}
