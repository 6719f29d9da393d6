//! Counts by name, for walks over very many rows.

use std::collections::HashMap;

/// What is counted under the same names. It is asked for each message, so that a group is found by one look, and its
/// names are only written down once.
pub(super) struct Groups<const N: usize, V> {
    places: HashMap<String, usize>,
    values: Vec<([String; N], V)>,
    /// Room for the names that are looked for. No name has a line end in it.
    key: String,
}

impl<const N: usize, V> Default for Groups<N, V> {
    fn default() -> Self {
        Self { places: HashMap::new(), values: Vec::new(), key: String::new() }
    }
}

impl<const N: usize, V: Default> Groups<N, V> {
    pub(super) fn of(&mut self, names: [&str; N]) -> &mut V {
        let place = self.place(names);
        self.at(place)
    }

    /// What lies at a place that these groups gave.
    pub(super) fn at(&mut self, place: usize) -> &mut V {
        &mut self.values[place].1
    }

    /// Where the group lies, whatever is added.
    pub(super) fn place(&mut self, names: [&str; N]) -> usize {
        self.key.clear();
        for name in names {
            self.key.push_str(name);
            self.key.push('\n');
        }
        self.places.get(&self.key).copied().unwrap_or_else(|| {
            self.places.insert(self.key.clone(), self.values.len());
            self.values.push((names.map(str::to_owned), V::default()));
            self.values.len() - 1
        })
    }

    /// All of them, in the order of their names.
    pub(super) fn sorted(mut self) -> impl Iterator<Item = ([String; N], V)> {
        self.values.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.values.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_names_is_counted_together_and_comes_in_their_order() {
        let mut groups: Groups<2, u64> = Groups::default();
        for names in [["b", "x"], ["a", "y"], ["b", "x"], ["a", ""], ["", "a"], ["ab", ""]] {
            *groups.of(names) += 1;
        }
        let sorted: Vec<_> =
            groups.sorted().map(|([one, other], count)| format!("{one}/{other} {count}")).collect();
        assert_eq!(sorted, ["/a 1", "a/ 1", "a/y 1", "ab/ 1", "b/x 2"]);
    }
}
