//! Writing TOML.

use super::Record;
use std::fmt;
use toml_writer::ToTomlValue;

/// The lines of a file being written. Keys are plain words; those after a table's header belong to the table.
#[derive(Default)]
pub(crate) struct Lines {
    text: String,
}

impl Lines {
    /// A key with a value that is TOML already, such as a number.
    pub(crate) fn value(&mut self, key: &str, value: &dyn fmt::Display) {
        self.text += &format!("{key} = {value}\n");
    }

    /// A key with a text.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.value(key, &quoted(text));
    }

    /// A key with a list of texts.
    pub(crate) fn texts(&mut self, key: &str, texts: &[String]) {
        self.list(key, texts.iter().map(|text| quoted(text)).collect());
    }

    /// A key with a list of the numbers of CPUs.
    pub(crate) fn numbers(&mut self, key: &str, numbers: &[u16]) {
        self.list(key, numbers.iter().map(u16::to_string).collect());
    }

    fn list(&mut self, key: &str, values: Vec<String>) {
        self.value(key, &format_args!("[{}]", values.join(", ")));
    }

    /// A table.
    pub(crate) fn table(&mut self, key: &str, record: &impl Record) {
        self.header(&format!("[{key}]"));
        record.write(self);
    }

    /// A list of tables.
    pub(crate) fn tables(&mut self, key: &str, records: &[impl Record]) {
        if records.is_empty() {
            self.list(key, Vec::new());
        }
        for record in records {
            self.header(&format!("[[{key}]]"));
            record.write(self);
        }
    }

    fn header(&mut self, header: &str) {
        let between = if self.text.is_empty() { "" } else { "\n" };
        self.text += &format!("{between}{header}\n");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A string as TOML, with suitable quotes.
pub(crate) fn quoted(text: &str) -> String {
    text.to_toml_value()
}
