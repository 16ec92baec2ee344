//! What the figures are compared with: the least that the work could cost.

mod commits;
mod write_loop;

pub use self::{
    commits::commits_per_second,
    write_loop::{Receivers, WriteLoop},
};
