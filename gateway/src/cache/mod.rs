//! What may be lost: it makes answers quicker or guesses slower, never truer.

pub mod limits;
