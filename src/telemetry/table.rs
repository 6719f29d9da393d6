//! Handles of metrics, found by two words without allocating.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

/// More pairs than this are counted together. The words come from configuration and closed sets, so that only a
/// mistake of ours meets this net.
pub(super) const PAIRS_MAX: usize = 4_096;
/// The label of what goes over [`PAIRS_MAX`].
pub(super) const OTHER: &str = "other";

/// One `T` for each pair of words, made at its first use.
#[derive(Debug)]
pub(super) struct Table<T>(RwLock<Rows<T>>);

#[derive(Debug)]
struct Rows<T> {
    rows: HashMap<Box<str>, HashMap<Box<str>, Arc<T>>>,
    pairs: usize,
}

impl<T> Rows<T> {
    fn find(&self, first: &str, second: &str) -> Option<&Arc<T>> {
        self.rows.get(first)?.get(second)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(RwLock::new(Rows { rows: HashMap::new(), pairs: 0 }))
    }
}

impl<T> Table<T> {
    /// What stands for the two words. `make` gets them, or [`OTHER`] twice where there are too many pairs.
    pub(super) fn get(&self, first: &str, second: &str, make: impl FnOnce(&str, &str) -> T) -> Arc<T> {
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).find(first, second) {
            return Arc::clone(found);
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let full = table.pairs >= PAIRS_MAX && table.find(first, second).is_none();
        let (first, second) = if full { (OTHER, OTHER) } else { (first, second) };
        if let Some(found) = table.find(first, second) {
            return Arc::clone(found);
        }
        let new = Arc::new(make(first, second));
        table.rows.entry(first.into()).or_default().insert(second.into(), Arc::clone(&new));
        table.pairs += 1;
        new
    }
}

/// The words that were seen, up to a number.
#[derive(Debug, Default)]
pub(super) struct Words(RwLock<HashSet<Box<str>>>);

impl Words {
    /// Whether the word is among the first `most` different ones.
    pub(super) fn take(&self, word: &str, most: usize) -> bool {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(word) {
            return true;
        }
        let mut words = self.0.write().unwrap_or_else(PoisonError::into_inner);
        words.len() < most && (words.insert(word.into()) || words.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_made_once_and_too_many_are_one() {
        let table = Table::default();
        let made = |first: &str, second: &str| format!("{first}/{second}");
        let first = table.get("a", "b", made);
        assert!(Arc::ptr_eq(&first, &table.get("a", "b", |_, _| unreachable!("it is made"))));
        for number in 0..2 * PAIRS_MAX {
            table.get("a", &number.to_string(), made);
        }
        assert_eq!(*table.get("a", "one more", made), "other/other");
        assert_eq!(*first, "a/b");
        assert_eq!(table.0.read().unwrap().pairs, PAIRS_MAX + 1);
    }
}
