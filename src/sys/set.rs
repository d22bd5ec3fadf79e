//! Small sets.

use std::collections::BTreeSet;

/// A set of these. `collect()` would sort them first: that is made for large sets, and is 5 KiB of code for each type.
pub fn set_of<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}
