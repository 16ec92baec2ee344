//! What the kernel has counted of a process: CPU and memory.

use std::{
    fs,
    iter::Sum,
    ops::{Add, Sub},
    time::Duration,
};

use crate::Outcome;

/// `/proc` counts in ticks of `USER_HZ`, which is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// CPU time, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
}

impl Cpu {
    pub fn of(process: u32) -> Outcome<Self> {
        Ok(stat(process)?.own)
    }

    /// A process, its children, and those that have ended: a server that forks.
    pub fn of_family(process: u32) -> Outcome<Self> {
        let stat = stat(process)?;
        let listed = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
        let children = listed.split_whitespace().filter_map(|id| id.parse().ok());
        // One that ends meanwhile is counted with the ended ones next time.
        let living = children.filter_map(|id| Self::of(id).ok());
        Ok(stat.own + stat.ended_children + living.sum())
    }

    pub fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Add for Cpu {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }
}

impl Sub for Cpu {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { user: self.user - other.user, system: self.system - other.system }
    }
}

impl Sum for Cpu {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Resident memory, in KiB.
pub fn resident(process: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(parse_resident(&status).ok_or("no VmRSS")?)
}

/// The load of the last minute.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

#[derive(Debug, PartialEq)]
struct Stat {
    own: Cpu,
    ended_children: Cpu,
}

fn stat(process: u32) -> Outcome<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    Ok(parse_stat(&text).ok_or("an odd /proc/…/stat")?)
}

/// utime, stime, cutime and cstime are fields 14 to 17; the name, field 2, may
/// hold spaces and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(4).map_while(|n| n.parse().ok()).collect();
    let [user, system, ended_user, ended_system] = ticks.try_into().ok()?;
    let cpu = |user: f64, system: f64| Cpu {
        user: user * TICK.as_secs_f64(),
        system: system * TICK.as_secs_f64(),
    };
    Some(Stat { own: cpu(user, system), ended_children: cpu(ended_user, ended_system) })
}

fn parse_resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "42 (a ) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 3 20 0 4 0 9 1 1 1";
        let stat = parse_stat(text).unwrap();
        assert_eq!(stat.own, Cpu { user: 2.5, system: 0.5 });
        assert!((stat.ended_children.total() - 0.1).abs() < 1e-9);
        assert_eq!(parse_stat("42 (short) S 1"), None);
    }

    #[test]
    fn resident_memory_is_in_kib() {
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t  12345 kB\n"), Some(12345.0));
        assert_eq!(parse_resident("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let id = std::process::id();
        assert!(resident(id).unwrap() > 0.0);
        assert!(Cpu::of_family(id).unwrap().total() >= Cpu::of(id).unwrap().total());
    }
}
