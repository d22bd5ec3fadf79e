//! A minimal XML parser, sufficient for `virsh dumpxml`: well-formed, without a document type.

/// The maximum nesting depth.
const DEEPEST: usize = 64;

/// An element and its content.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    /// All text directly in it.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Parses a document; `None` if it is not well-formed.
    pub(super) fn read(document: &str) -> Option<Self> {
        // The stack of open elements, outermost first; the first stands for the document.
        let mut open = vec![Self::default()];
        let mut rest = document;
        while let Some((text, markup)) = rest.split_once('<') {
            open.last_mut()?.text.push_str(&decode(text)?);
            rest = if let Some(comment) = markup.strip_prefix("!--") {
                comment.split_once("-->")?.1
            } else if markup.starts_with(['?', '!']) {
                markup.split_once('>')?.1
            } else if let Some(end) = markup.strip_prefix('/') {
                let (name, rest) = end.split_once('>')?;
                let element = open.pop().filter(|element| element.name == name.trim_end())?;
                open.last_mut()?.children.push(element);
                rest
            } else {
                let (element, is_whole, rest) = start(markup)?;
                if is_whole {
                    open.last_mut()?.children.push(element);
                } else if open.len() < DEEPEST {
                    open.push(element);
                } else {
                    return None;
                }
                rest
            };
        }
        let [document] = <[Self; 1]>::try_from(open).ok()?;
        document.children.into_iter().next()
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

/// Parses an element's start tag after its `<`: the element, whether it is self-closing, and the rest.
fn start(markup: &str) -> Option<(Element, bool, &str)> {
    let (name, mut rest) = markup.split_at(markup.find(|letter: char| letter.is_ascii_whitespace() || "/>".contains(letter))?);
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('>') {
            return Some((element, false, rest));
        }
        if let Some(rest) = rest.strip_prefix("/>") {
            return Some((element, true, rest));
        }
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| "'\"".contains(*quote))?;
        let (value, after) = value[1..].split_once(quote)?;
        element.attributes.push((name.trim_end().to_owned(), decode(value)?));
        rest = after;
    }
}

/// Text with its entities and character references resolved.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';')?;
        decoded.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = number.strip_prefix('x').map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
                char::from_u32(code)?
            }
        });
        decoded.push_str(after);
    }
    Some(decoded)
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
        for text in
            ["", "x", "<a>", "<a></b>", "</a>", "<a b></a>", "<a b=c/>", "<a b='c/>", "<a>&x;</a>", "<a>&amp</a>", "<!--", "<a", &deep]
        {
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
