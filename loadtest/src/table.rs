//! The table: one line a figure, and what each figure must reach.

use std::fmt::{self, Display};

use crate::{statistics::Spread, swarm::Wrong};

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    AtLeast { floor: f64, record: f64 },
    AtMost { floor: f64, record: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Miss,
    Ok,
    Record,
}

impl Target {
    pub fn judge(self, value: f64) -> Verdict {
        let (reaches_floor, reaches_record) = match self {
            Self::AtLeast { floor, record } => (value >= floor, value >= record),
            Self::AtMost { floor, record } => (value <= floor, value <= record),
        };
        match (reaches_floor, reaches_record) {
            (true, true) => Verdict::Record,
            (true, false) => Verdict::Ok,
            _ => Verdict::Miss,
        }
    }
}

/// One quantity, measured several times.
pub struct Grade {
    pub values: Vec<f64>,
    pub unit: &'static str,
    pub target: Target,
}

impl Grade {
    pub fn at_least(values: Vec<f64>, unit: &'static str, floor: f64, record: f64) -> Self {
        Self { values, unit, target: Target::AtLeast { floor, record } }
    }

    pub fn at_most(values: Vec<f64>, unit: &'static str, floor: f64, record: f64) -> Self {
        Self { values, unit, target: Target::AtMost { floor, record } }
    }

    /// The median is what counts. Nothing measured reaches nothing.
    fn verdict(&self) -> Verdict {
        match Spread::of(&self.values) {
            Some(spread) if spread.median.is_finite() => self.target.judge(spread.median),
            _ => Verdict::Miss,
        }
    }
}

/// A figure that was measured, or why not.
pub struct Line {
    pub number: u8,
    pub quantity: &'static str,
    pub outcome: Result<Measured, String>,
}

pub struct Measured {
    pub grades: Vec<Grade>,
    pub wrong: Wrong,
    /// What the ratio is made of.
    pub beside: String,
}

impl Measured {
    /// The worst of its grades; a delivery that was lost, doubled or out of
    /// order spoils all of them.
    pub fn verdict(&self) -> Verdict {
        if !self.wrong.is_nothing() {
            return Verdict::Miss;
        }
        self.grades.iter().map(Grade::verdict).min().unwrap_or(Verdict::Miss)
    }
}

impl Measured {
    pub fn reaches_floor(&self) -> bool {
        self.verdict() > Verdict::Miss
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Miss => "MISS",
            Self::Ok => "ok",
            Self::Record => "record",
        })
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { floor, record } => write!(f, "≥ {floor}, ≥ {record}"),
            Self::AtMost { floor, record } => write!(f, "≤ {floor}, ≤ {record}"),
        }
    }
}

impl Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Spread { median, min, max }) = Spread::of(&self.values) else {
            return write!(f, "nothing [{}]", self.target);
        };
        let (median, min, max) = (Short(median), Short(min), Short(max));
        write!(f, "{median} {} ({min} to {max}) [{}]", self.unit, self.target)
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<3}{}: ", self.number, self.quantity)?;
        let measured = match &self.outcome {
            Ok(measured) => measured,
            Err(why) => return write!(f, "not measured: {why}"),
        };
        for (index, grade) in measured.grades.iter().enumerate() {
            write!(f, "{}{grade}", if index > 0 { ", " } else { "" })?;
        }
        if !measured.beside.is_empty() {
            write!(f, "; {}", measured.beside)?;
        }
        if !measured.wrong.is_nothing() {
            write!(f, "; {}", measured.wrong)?;
        }
        write!(f, "  {}", measured.verdict())
    }
}

/// Three digits that count, as many as a ratio deserves.
pub struct Short(pub f64);

impl Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            n if n >= 100.0 => write!(f, "{:.0}", self.0),
            n if n >= 10.0 => write!(f, "{:.1}", self.0),
            _ => write!(f, "{:.2}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(values: &[f64], wrong: Wrong) -> Measured {
        let grades = vec![Grade::at_least(values.to_vec(), "%", 85.0, 95.0)];
        Measured { grades, wrong, beside: String::new() }
    }

    #[test]
    fn floors_and_records_count_from_their_very_value() {
        let ratio = Target::AtLeast { floor: 85.0, record: 95.0 };
        let judged = [84.9, 85.0, 94.9, 95.0].map(|value| ratio.judge(value));
        assert_eq!(judged, [Verdict::Miss, Verdict::Ok, Verdict::Ok, Verdict::Record]);
        let memory = Target::AtMost { floor: 8.0, record: 4.0 };
        let judged = [8.1, 8.0, 4.1, 4.0].map(|value| memory.judge(value));
        assert_eq!(judged, [Verdict::Miss, Verdict::Ok, Verdict::Ok, Verdict::Record]);
    }

    #[test]
    fn the_median_decides_and_the_worst_grade_is_the_verdict() {
        assert_eq!(measured(&[10.0, 96.0, 97.0], Wrong::default()).verdict(), Verdict::Record);
        assert_eq!(measured(&[], Wrong::default()).verdict(), Verdict::Miss);
        assert_eq!(measured(&[f64::NAN], Wrong::default()).verdict(), Verdict::Miss);
        let mut two = measured(&[96.0], Wrong::default());
        two.grades.push(Grade::at_most(vec![60.0], "ms", 50.0, 30.0));
        assert_eq!(two.verdict(), Verdict::Miss);
    }

    #[test]
    fn a_lost_message_is_a_miss_however_fast() {
        let wrong = Wrong { lost: 1, ..Wrong::default() };
        assert_eq!(measured(&[99.0], wrong).verdict(), Verdict::Miss);
    }

    #[test]
    fn a_line_begins_with_its_number_and_ends_with_its_verdict() {
        let outcome = Ok(measured(&[90.0, 91.0, 89.0], Wrong::default()));
        let line = Line { number: 1, quantity: "deliveries", outcome }.to_string();
        assert_eq!(line, "1  deliveries: 90.0 % (89.0 to 91.0) [≥ 85, ≥ 95]  ok");
        let line = Line { number: 16, quantity: "cost", outcome: Err("no time".into()) };
        assert_eq!(line.to_string(), "16 cost: not measured: no time");
    }
}
