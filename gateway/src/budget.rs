//! Memory that many share, counted in bytes. What a queue bounds by number
//! alone is as large as its largest items.

use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Budget {
    used: AtomicUsize,
    most: usize,
}

impl Budget {
    pub fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most }
    }

    /// Takes `bytes` if there is room for them.
    pub fn take(&self, bytes: usize) -> bool {
        let room = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Gives back what was taken.
    pub fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The share that is in use, from 0 to 1.
    pub fn used(&self) -> f64 {
        self.used.load(Ordering::Relaxed) as f64 / self.most as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is() {
        let budget = Budget::new(10);
        assert!(budget.take(6) && !budget.take(5) && budget.take(4) && !budget.take(1));
        budget.give(6);
        assert!(!budget.take(usize::MAX) && budget.take(6));
        assert_eq!(budget.used(), 1.0);
    }
}
