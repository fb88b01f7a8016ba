//! Suggests a known name in place of an unknown one.

/// Returns the message for an unknown name. It suggests the nearest known name, or lists them all.
pub(crate) fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("unknown {kind} `{name}`; did you mean `{meant}`?"),
        None => {
            let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
            format!("unknown {kind} `{name}`; the {kind}s are {}", known.join(", "))
        }
    }
}

/// Returns the nearest known name, if it differs in at most a third of its own letters.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.map(|known| (distance(name, known), known));
    let (distance, meant) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= meant.len() / 3).then_some(meant)
}

/// Counts the letters to add, remove or replace to get from `a` to `b` (the Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
