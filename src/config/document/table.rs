//! Reading TOML.

use super::{Checked, Problem, Record, Word, nearest};
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

type Value<'a> = Spanned<DeValue<'a>>;

/// A table, whose keys are taken out one by one. A missing key is none, one of another type is a [`Problem`].
#[derive(Default)]
pub(crate) struct Table<'a> {
    /// Its position; that of its header, if it has one.
    pub(crate) span: Range<usize>,
    entries: DeTable<'a>,
    asked: Vec<&'static str>,
}

/// A value that may be of several types.
pub(crate) enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    /// Anything else.
    Other,
}

impl<'a> Table<'a> {
    /// The table that a whole file is.
    pub(crate) fn parse(text: &'a str) -> Checked<Self> {
        let table = DeTable::parse(text).map_err(|error| Problem { span: error.span(), what: error.message().to_owned(), hint: None })?;
        Ok(Self::new(table.span(), table.into_inner()))
    }

    fn new(span: Range<usize>, entries: DeTable<'a>) -> Self {
        Self { span, entries, asked: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        self.entries.remove(key)
    }

    /// A string, with its position.
    pub(crate) fn text(&mut self, key: &'static str) -> Checked<Option<Spanned<String>>> {
        self.take(key).map(text).transpose()
    }

    /// A string.
    pub(crate) fn string(&mut self, key: &'static str) -> Checked<Option<String>> {
        Ok(self.text(key)?.map(Spanned::into_inner))
    }

    /// A list of strings, with their positions.
    pub(crate) fn texts(&mut self, key: &'static str) -> Checked<Option<Vec<Spanned<String>>>> {
        self.take(key).map(|value| list(value)?.into_iter().map(text).collect()).transpose()
    }

    /// A list of strings.
    pub(crate) fn strings(&mut self, key: &'static str) -> Checked<Option<Vec<String>>> {
        Ok(self.texts(key)?.map(|texts| texts.into_iter().map(Spanned::into_inner).collect()))
    }

    /// A boolean.
    pub(crate) fn flag(&mut self, key: &'static str) -> Checked<Option<bool>> {
        let flag = |value: Value<'_>| value.get_ref().as_bool().ok_or_else(|| wrong_type(value.span(), value.get_ref(), "a boolean"));
        self.take(key).map(flag).transpose()
    }

    /// A count.
    pub(crate) fn number<N: TryFrom<i64>>(&mut self, key: &'static str) -> Checked<Option<N>> {
        self.take(key).map(number).transpose()
    }

    /// A list of the numbers of CPUs.
    pub(crate) fn numbers(&mut self, key: &'static str) -> Checked<Option<Vec<u16>>> {
        self.take(key).map(|value| list(value)?.into_iter().map(number).collect()).transpose()
    }

    /// A value written as a string with its own syntax.
    pub(crate) fn parsed<T: FromStr<Err = String>>(&mut self, key: &'static str) -> Checked<Option<T>> {
        self.text(key)?.map(|text| parsed(&text)).transpose()
    }

    /// One of a fixed set of words.
    pub(crate) fn word<W: Word>(&mut self, key: &'static str) -> Checked<Option<W>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match W::WORDS.iter().find(|(word, _)| word == text.get_ref()) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words: Vec<_> = W::WORDS.iter().map(|(word, _)| *word).collect();
                Err(unknown("variant", text.span(), text.get_ref(), &words))
            }
        }
    }

    /// A value that may be of several types, with its position.
    pub(crate) fn scalar(&mut self, key: &'static str) -> Option<Spanned<Scalar>> {
        let value = self.take(key)?;
        let scalar = match value.get_ref() {
            DeValue::String(text) => Scalar::Text(text.to_string()),
            DeValue::Integer(number) => integer(number).map_or(Scalar::Other, Scalar::Integer),
            DeValue::Float(number) => number.as_str().parse().map_or(Scalar::Other, Scalar::Float),
            _ => Scalar::Other,
        };
        Some(Spanned::new(value.span(), scalar))
    }

    /// A table in it.
    pub(crate) fn table(&mut self, key: &'static str) -> Checked<Option<Self>> {
        self.take(key).map(table).transpose()
    }

    /// A list of tables; empty if there is none.
    pub(crate) fn tables(&mut self, key: &'static str) -> Checked<Vec<Self>> {
        self.take(key).map_or(Ok(Vec::new()), |value| list(value)?.into_iter().map(table).collect())
    }

    /// A record in it.
    pub(crate) fn record<R: Record>(&mut self, key: &'static str) -> Checked<Option<R>> {
        self.table(key)?.map(|mut table| R::read(&mut table)).transpose()
    }

    /// A list of records; empty if there is none.
    pub(crate) fn records<R: Record>(&mut self, key: &'static str) -> Checked<Vec<R>> {
        self.tables(key)?.iter_mut().map(R::read).collect()
    }

    /// A required value, taken by one of the above.
    pub(crate) fn need<T>(&mut self, key: &'static str, take: fn(&mut Self, &'static str) -> Checked<Option<T>>) -> Checked<T> {
        take(self, key)?.ok_or_else(|| self.missing(key))
    }

    /// The required string, taken last: if an unknown key is left, it is this one misspelt, or wrong itself.
    pub(crate) fn need_and_end(&mut self, key: &'static str) -> Checked<Spanned<String>> {
        let text = self.text(key)?;
        self.end()?;
        text.ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &str) -> Problem {
        Problem::at(self.span.clone(), format!("missing field `{key}`"))
    }

    /// Checks that nothing is left after all known keys were taken.
    pub(crate) fn end(&self) -> Checked<()> {
        match self.entries.keys().min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => Err(unknown("field", key.span(), key.get_ref(), &self.asked)),
        }
    }
}

/// A value written as a string with its own syntax.
pub(crate) fn parsed<T: FromStr<Err = String>>(text: &Spanned<String>) -> Checked<T> {
    text.get_ref().parse().map_err(|wrong: String| Problem::at(text.span(), wrong))
}

fn text(value: Value<'_>) -> Checked<Spanned<String>> {
    match value.get_ref().as_str() {
        Some(text) => Ok(Spanned::new(value.span(), text.to_owned())),
        None => Err(wrong_type(value.span(), value.get_ref(), "a string")),
    }
}

fn number<N: TryFrom<i64>>(value: Value<'_>) -> Checked<N> {
    let Some(number) = value.get_ref().as_integer() else { return Err(wrong_type(value.span(), value.get_ref(), "an integer")) };
    integer(number)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| Problem::at(value.span(), format!("`{number}` is out of range")))
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn list(value: Value<'_>) -> Checked<Vec<Value<'_>>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(values) => Ok(values.into_iter().collect()),
        other => Err(wrong_type(span, &other, "an array")),
    }
}

fn table(value: Value<'_>) -> Checked<Table<'_>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(entries) => Ok(Table::new(span, entries)),
        other => Err(wrong_type(span, &other, "a table")),
    }
}

fn wrong_type(span: Range<usize>, found: &DeValue<'_>, expected: &str) -> Problem {
    Problem::at(span, format!("invalid type: {}, expected {expected}", found.type_str()))
}

fn unknown(kind: &str, span: Range<usize>, wrong: &str, known: &[&str]) -> Problem {
    let problem = Problem::at(span, format!("unknown {kind} `{wrong}`, expected one of `{}`", known.join("`, `")));
    match nearest(wrong, known.iter().copied()) {
        Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}
