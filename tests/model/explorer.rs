//! Goes through every state that a model can get into, nearest first, so that
//! what it finds broken is told by the shortest way there.

use std::{
    collections::HashMap,
    fmt::Display,
    hash::{DefaultHasher, Hash, Hasher},
};

pub trait Model {
    type State: Clone + Hash;
    type Step: Copy + Display;

    fn start(&self) -> Self::State;
    /// Everything that may happen next.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;
    /// What must come some day, whatever else happens: not a fault, and nothing
    /// that somebody has to want.
    fn comes_by_itself(step: Self::Step) -> bool;
    /// An error says what is broken in the state it leads to.
    fn take(&self, state: &mut Self::State, step: Self::Step) -> Result<(), String>;
    /// What must hold where nothing more comes by itself.
    fn settled(&self, state: &Self::State) -> Result<(), String>;
}

pub struct Explored {
    pub states: usize,
    /// Of these, nothing more comes by itself in so many.
    pub settled: usize,
    pub broken: Option<Broken>,
}

pub struct Broken {
    pub steps: Vec<String>,
    pub why: String,
}

impl Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "  {number:2}. {step}")?;
        }
        write!(f, "  --> {}", self.why)
    }
}

/// Until everything is seen or something is broken.
pub fn explore<M: Model>(model: &M) -> Explored {
    let start = model.start();
    let mut seen = HashMap::from([(fingerprint(&start), 0)]);
    // How each state was reached first; the states themselves are kept only
    // until they were looked at.
    let mut ways: Vec<(usize, Option<M::Step>)> = vec![(0, None)];
    let mut nearest = vec![(0, start)];
    let mut settled = Vec::new();
    // What came by itself: from where, by where it led.
    let mut came: HashMap<usize, Vec<usize>> = HashMap::new();
    while !nearest.is_empty() {
        let mut farther = Vec::new();
        for (here, state) in nearest {
            let own = fingerprint(&state);
            let mut rests = true;
            for step in model.steps(&state) {
                let mut next = state.clone();
                if let Err(why) = model.take(&mut next, step) {
                    let broken = Broken { steps: way(&ways, here, Some(step)), why };
                    return Explored {
                        states: seen.len(),
                        settled: settled.len(),
                        broken: Some(broken),
                    };
                }
                let print = fingerprint(&next);
                let there = *seen.entry(print).or_insert_with(|| {
                    ways.push((here, Some(step)));
                    farther.push((ways.len() - 1, next));
                    ways.len() - 1
                });
                if print != own && M::comes_by_itself(step) {
                    rests = false;
                    came.entry(there).or_default().push(here);
                }
            }
            if rests {
                settled.push(here);
                if let Err(why) = model.settled(&state) {
                    let broken = Broken { steps: way(&ways, here, None), why };
                    let settled = settled.len();
                    return Explored { states: seen.len(), settled, broken: Some(broken) };
                }
            }
        }
        nearest = farther;
    }
    let broken = restless(ways.len(), &settled, &came).map(|state| {
        let why = "what comes by itself goes round in a circle".to_owned();
        Broken { steps: way(&ways, state, None), why }
    });
    Explored { states: seen.len(), settled: settled.len(), broken }
}

/// A state from which what comes by itself leads to no rest.
fn restless(states: usize, settled: &[usize], came: &HashMap<usize, Vec<usize>>) -> Option<usize> {
    let mut rests = vec![false; states];
    let mut next = settled.to_vec();
    while let Some(state) = next.pop() {
        if !std::mem::replace(&mut rests[state], true) {
            next.extend(came.get(&state).into_iter().flatten());
        }
    }
    rests.iter().position(|rests| !rests)
}

fn way<S: Copy + Display>(
    ways: &[(usize, Option<S>)],
    mut at: usize,
    last: Option<S>,
) -> Vec<String> {
    let mut steps: Vec<String> = last.iter().map(S::to_string).collect();
    while let (before, Some(step)) = ways[at] {
        steps.push(step.to_string());
        at = before;
    }
    steps.reverse();
    steps
}

/// Of all bytes at once: many small writes are what hashing spends its time on.
fn fingerprint(state: &impl Hash) -> u64 {
    let mut bytes = Bytes(Vec::with_capacity(512));
    state.hash(&mut bytes);
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes.0);
    hasher.finish()
}

struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
