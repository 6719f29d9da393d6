//! Danish or English, as the caller asks.

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

use crate::domain::Text;

/// The languages that the gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Da,
    En,
}

impl Language {
    /// By `Accept-Language`: the one of the two with the greater weight, English where neither is asked for.
    /// Norwegian and Swedish readers are served Danish rather than English only where they ask for it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let asked = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let weight = |language: &str| {
            asked
                .split(',')
                .filter_map(|range| {
                    let mut parts = range.split(';').map(str::trim);
                    let tag = parts.next()?;
                    let primary = tag.split('-').next()?;
                    let weight = parts
                        .find_map(|part| part.strip_prefix("q="))
                        .map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
                    primary.eq_ignore_ascii_case(language).then_some(weight)
                })
                .fold(0.0, f32::max)
        };
        if weight("da") > weight("en") { Self::Da } else { Self::En }
    }

    /// The tag of `Content-Language`.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Da => "da",
            Self::En => "en",
        }
    }

    pub(super) fn of_text(self, text: &Text) -> &str {
        match self {
            Self::Da => &text.da,
            Self::En => &text.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_greater_weight_decides_and_english_where_none_does() {
        for (asked, language) in [
            ("da", Language::Da),
            ("da-DK,da;q=0.9,en;q=0.8", Language::Da),
            ("en-GB, da;q=0.5", Language::En),
            ("en;q=0.1, DA;q=0.2", Language::Da),
            ("de", Language::En),
            ("*", Language::En),
            ("da;q=zero", Language::En),
            ("", Language::En),
        ] {
            let headers = [(ACCEPT_LANGUAGE, HeaderValue::from_static(asked))].into_iter().collect();
            assert_eq!(Language::of(&headers), language, "{asked}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::En);
    }
}
