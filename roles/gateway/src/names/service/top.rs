//! The names that are asked for most, in bounded memory: a name that is not among those counted takes the place, and the count,
//! of the one with the least (Metwally's Space-Saving). Counts are never too small, and exact while there are few names.

use std::collections::HashMap;

/// Names that are counted.
const MOST: usize = 512;

#[derive(Default)]
pub(super) struct Top {
    counts: HashMap<Vec<u8>, u64>,
}

impl Top {
    /// `weight` questions for the name that a question section begins with.
    pub(super) fn add(&mut self, question: &[u8], weight: u64) {
        let Some(name) = name_of(question) else { return };
        let name = name.to_ascii_lowercase();
        if let Some(count) = self.counts.get_mut(&name) {
            *count += weight;
            return;
        }
        let mut start = 0;
        if self.counts.len() >= MOST
            && let Some((least, count)) = self.counts.iter().min_by_key(|(_, count)| **count)
        {
            start = *count;
            let least = least.clone();
            self.counts.remove(&least);
        }
        self.counts.insert(name, start + weight);
    }

    /// The first `most`, each with its count.
    pub(super) fn first(&self, most: usize) -> Vec<(String, u64)> {
        let mut all: Vec<(String, u64)> = self.counts.iter().map(|(name, n)| (text(name), *n)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }
}

fn name_of(question: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let label = usize::from(*question.get(end)?);
        end += 1;
        if label == 0 {
            return question.get(..end);
        }
        if label > 63 {
            return None;
        }
        end += label;
    }
}

fn text(name: &[u8]) -> String {
    domain::base::Name::from_slice(name).map_or_else(|_| String::new(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(label: &str) -> Vec<u8> {
        let length = u8::try_from(label.len()).unwrap();
        [&[length], label.as_bytes(), b"\x04test\0\0\x01\0\x01"].concat()
    }

    #[test]
    fn the_most_wanted_stay_however_many_others_there_are() {
        let mut top = Top::default();
        for n in 0..20_000_u32 {
            top.add(&question(&format!("rare{n}")), 1);
            if n % 4 == 0 {
                top.add(&question("OFTEN"), 1);
            }
        }
        let first = top.first(3);
        assert_eq!(first[0].0, "often.test");
        assert!((5_000..5_100).contains(&first[0].1), "{first:?}");
        assert!(top.counts.len() <= MOST);
        top.add(&[64, 1], 1);
        top.add(&[], 1);
    }
}
