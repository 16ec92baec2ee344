//! What is measured, one module for figures that share a run.

mod connections;
mod fanout;
mod groups;
mod resume;
mod sends;
mod strain;

use std::time::Duration;

use crate::{
    Outcome,
    rig::Rig,
    statistics::Spread,
    table::{Line, Short},
};

/// How thoroughly.
pub struct Plan {
    pub rig: Rig,
    pub repeats: usize,
    /// Less of everything: to see that it works, and where it stands.
    pub short: bool,
    pub wanted: Vec<u8>,
}

impl Plan {
    pub fn wants(&self, number: u8) -> bool {
        self.wanted.contains(&number)
    }

    /// How long one side of a pair is measured.
    pub fn window(&self) -> Duration {
        Duration::from_secs(if self.short { 2 } else { 4 })
    }

    /// A size, or a fifth of it when short.
    pub fn size(&self, whole: usize) -> usize {
        if self.short { whole / 5 } else { whole }
    }
}

/// The median, for what is told beside a figure.
fn middle(values: &[f64]) -> Short {
    Short(Spread::of(values).map_or(f64::NAN, |spread| spread.median))
}

/// Of each pair, the first by the second.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

type Run = fn(&Plan) -> Outcome<Vec<Line>>;

/// Figures that are measured together.
pub const RUNS: &[(&[u8], Run)] = &[
    (&[1, 2, 3], fanout::run),
    (&[4, 5, 6], connections::run),
    (&[7], sends::many_conversations),
    (&[8], sends::one_conversation),
    (&[9], groups::whole_system),
    (&[10, 11], groups::two_replicas),
    (&[12], resume::run),
    (&[13], strain::stalled_readers),
    (&[14], strain::login_storm),
    (&[15], sends::embedded),
    (&[16], groups::more_replicas),
];
