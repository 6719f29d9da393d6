//! Whether a message came before, by what can be said of it without reading it.

use crate::store::Arrived;

/// So many messages are looked at, the latest: no index leads to the bytes of a message.
pub(in crate::store) const LOOKED_BACK: i64 = 10_000;

/// Headers by which a broker counts how often it sent a message. All others are its sender's.
const COUNTS: [&str; 2] = ["x-delivery-count", "x-acquired-count"];

/// Whether the headers of a stored message, as they are kept, are the arrived one's, but for what the broker counts.
pub(in crate::store) fn same_headers(kept: Option<&str>, arrived: &Arrived) -> bool {
    let kept: Vec<(String, String)> =
        kept.map_or_else(Vec::new, |text| serde_json::from_str(text).unwrap_or_default());
    let own = |headers: &'_ [(String, String)]| -> Vec<(String, String)> {
        headers.iter().filter(|(name, _)| !COUNTS.contains(&name.as_str())).cloned().collect()
    };
    own(&kept) == own(&arrived.headers)
}
