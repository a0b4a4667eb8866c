//! The words of a routing key or binding key: what stands between its dots.

/// The words of `key` in order. An empty key has none; otherwise there is one more than there are dots, and
/// a word may be empty.
pub fn words(key: &str) -> impl Iterator<Item = &str> {
    let split = if key.is_empty() { None } else { Some(key.split('.')) };
    split.into_iter().flatten()
}
