//! Changing properties that are otherwise kept as the bytes that came in.

use crate::wire::{Properties, PropertiesView};

/// Decodes properties, lets `change` work on them, and encodes them again. Properties were validated when
/// the message arrived; if they cannot be read all the same they are left as they are.
pub(in crate::broker) fn rewrite(encoded: &[u8], change: impl FnOnce(&mut Properties)) -> Vec<u8> {
    let Ok(mut properties) =
        PropertiesView::parse(encoded).and_then(|view| Properties::try_from(&view))
    else {
        return encoded.to_vec();
    };
    change(&mut properties);
    let mut out = Vec::with_capacity(encoded.len() + 64);
    properties.encode(&mut out);
    out
}
