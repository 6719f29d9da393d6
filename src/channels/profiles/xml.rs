//! The texts of an XML answer, each with the names it stands under. Lenient about everything but its bounds.

use quick_xml::{Reader, events::Event};

/// No element lies deeper.
const DEPTH_MAX: usize = 32;
/// No answer has more elements.
const ELEMENTS_MAX: usize = 2_000;

/// An element without children.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The names of the elements around it and its own, outermost first, without prefixes.
    pub(super) path: Vec<String>,
    /// Without the blanks around it. Empty where it holds anything but text.
    pub(super) text: String,
}

impl Leaf {
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Does it stand in an element of that name, however deep?
    pub(super) fn is_within(&self, name: &str) -> bool {
        self.path[..self.path.len().saturating_sub(1)].iter().any(|around| around == name)
    }
}

/// Every leaf of a document. `None`: it is not well-formed XML, it declares a document type, or it is larger
/// than any receipt.
pub(super) fn leaves(body: &[u8]) -> Option<Vec<Leaf>> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let (mut path, mut text, mut has_children) = (Vec::new(), String::new(), false);
    let (mut leaves, mut elements) = (Vec::new(), 0);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
                has_children = false;
                elements += 1;
            }
            Event::Empty(empty) => {
                let mut path = path.clone();
                path.push(empty.local_name().as_ref().to_owned());
                leaves.push(Leaf { path, text: String::new() });
                has_children = true;
                elements += 1;
            }
            Event::End(_) => {
                if !has_children {
                    leaves.push(Leaf { path: path.clone(), text: text.trim().to_owned() });
                }
                path.pop()?;
                text.clear();
                has_children = true;
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::CData(piece) => text.push_str(&piece),
            Event::DocType(_) => return None,
            // A code needs no reference; what holds one reads as another text.
            Event::GeneralRef(_) => text.push('&'),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        if path.len() > DEPTH_MAX || elements > ELEMENTS_MAX {
            return None;
        }
    }
    (path.is_empty() && !leaves.is_empty()).then_some(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_found_under_any_prefix_beside_attributes_and_comments() {
        let found = leaves(
            b"<?xml version=\"1.0\"?><s:E xmlns:s=\"urn:x\"><s:B a='1'><!-- c --><k:Kode> 20 </k:Kode><T><![CDATA[x]]></T><N/></s:B></s:E>",
        );
        let found: Vec<_> = found.unwrap().into_iter().map(|leaf| (leaf.path.join("/"), leaf.text)).collect();
        let leaf = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(found, [leaf("E/B/Kode", "20"), leaf("E/B/T", "x"), leaf("E/B/N", "")]);
    }

    #[test]
    fn what_is_no_xml_or_has_no_bounds_reads_as_nothing() {
        let deep = "<a>".repeat(60_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(3_000));
        for body in ["", "OK", "<a>", "<a></b>", "{}", "<!DOCTYPE a><a>1</a>", deep.as_str(), wide.as_str()] {
            assert_eq!(leaves(body.as_bytes()), None, "{}", &body[..body.len().min(20)]);
        }
    }
}
