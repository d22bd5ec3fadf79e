//! libvirt's XML as a tree of elements.

use roxmltree::{Document, Node};

/// The maximum nesting depth.
const DEEPEST: usize = 64;
/// No description of a domain is longer, in bytes.
const LONGEST: usize = 256 << 10;
/// No description of a domain has more attributes. The parser compares each with the others of its element.
const MOST_ATTRIBUTES: usize = 6 << 10;

/// An element and its content.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name without a namespace.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    /// All text directly in it.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Parses a document; `None` if it is not well-formed, or larger or nested deeper than any domain is.
    pub(super) fn read(document: &str) -> Option<Self> {
        if document.len() > LONGEST || document.bytes().filter(|byte| *byte == b'=').count() > MOST_ATTRIBUTES {
            return None;
        }
        Self::of(Document::parse(document).ok()?.root_element(), DEEPEST)
    }

    fn of(node: Node<'_, '_>, deepest: usize) -> Option<Self> {
        let deepest = deepest.checked_sub(1)?;
        Some(Self {
            name: node.tag_name().name().to_owned(),
            attributes: node.attributes().map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned())).collect(),
            text: node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect(),
            children: node.children().filter(Node::is_element).map(|child| Self::of(child, deepest)).collect::<Option<_>>()?,
        })
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::escape::escape;
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_found() {
        let text = "<?xml version='1.0'?>\n<!-- a > b <c> -->\n<domain type = \"kvm\" id='1'>\n <name>a &amp;&#x20;b</name>\n <devices><disk/>\
                    <disk\n device='cdrom' /></devices>\n</domain>\n";
        let domain = Element::read(text).unwrap();
        assert_eq!((domain.name.as_str(), domain.attribute("type"), domain.attribute("id")), ("domain", Some("kvm"), Some("1")));
        assert_eq!(domain.child("name").unwrap().text, "a & b");
        let devices = domain.child("devices").unwrap();
        assert_eq!((devices.children.len(), devices.children[1].attribute("device")), (2, Some("cdrom")));
    }

    #[test]
    fn what_is_not_well_formed_is_nothing() {
        let deep = "<a>".repeat(100_000);
        let nested = "<a>".repeat(100) + &"</a>".repeat(100);
        let wide: String = (0..50_000).map(|number| format!(" a{number}='1'")).collect();
        let (wide, long) = (format!("<a{wide}/>"), format!("<a>{}</a>", "<b/>".repeat(500_000)));
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "</a>",
            "<a b></a>",
            "<a b=c/>",
            "<a b='c/>",
            "<a>&x;</a>",
            "<a>&amp</a>",
            "<!--",
            "<a",
            &deep,
            &nested,
            &wide,
            &long,
        ] {
            assert_eq!(Element::read(text), None, "{:.40}", text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[<>/='\"&;#xa! -]{0,40}|\\PC{0,40}") {
            let _ = Element::read(&text);
        }

        /// Every text that XML can represent.
        #[test]
        fn what_is_written_is_what_is_read(value in "[^\\p{Cc}\u{fffe}\u{ffff}]{0,20}|[\\t\\r\\n&<>'\"a-]{0,20}", text in "[&<>'\"\\]a-]{0,20}") {
            let document = format!("<a b='{}' c='d'><e>{}</e></a>", escape(&value).unwrap(), escape(&text).unwrap());
            let read = Element::read(&document).unwrap();
            proptest::prop_assert_eq!(read.attribute("b"), Some(value.as_str()));
            proptest::prop_assert_eq!((read.attributes.len(), read.children.len()), (2, 1));
            proptest::prop_assert_eq!(&read.child("e").unwrap().text, &text);
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_refused() {
        for text in ["\0", "a\u{1b}b", "\u{ffff}"] {
            let message = escape(text).unwrap_err().to_string();
            assert!(message.contains("XML cannot represent"), "{message}");
        }
    }
}
