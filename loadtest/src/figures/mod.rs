//! What is measured, one module for figures that share a run.

mod fanout;

use std::time::Duration;

use crate::{Outcome, rig::Rig, table::Line};

/// How thoroughly.
pub struct Plan {
    pub rig: Rig,
    pub repeats: usize,
    /// Less of everything: to see that it works, and where it stands.
    pub short: bool,
}

impl Plan {
    /// How long one side of a pair is measured.
    pub fn window(&self) -> Duration {
        Duration::from_secs(if self.short { 2 } else { 4 })
    }

    /// A size, or a fifth of it when short.
    pub fn size(&self, whole: usize) -> usize {
        if self.short { whole / 5 } else { whole }
    }
}

type Run = fn(&Plan) -> Outcome<Vec<Line>>;

/// Figures that are measured together, in the order of their names.
pub const RUNS: &[(&[u8], Run)] = &[(&[1, 2, 3], fanout::run)];
