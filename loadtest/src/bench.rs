//! The order of things: which figures, how often, and what is printed.

use std::{path::PathBuf, process::Command};

use clap::Args;

use crate::{
    Outcome,
    figures::{Plan, RUNS},
    proc,
    rig::{Rig, output},
    table::Line,
};

#[derive(Args)]
pub struct Bench {
    /// The gateway to measure
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// What it was built with, for the table
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Only these, as in 1,2,3
    #[arg(long, value_name = "N", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
    figure: Vec<u8>,
    /// Pairs of each figure
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeats: usize,
    /// Less of everything: to see that it works, and about where it stands
    #[arg(long)]
    short: bool,
    /// Where to keep the table, between its marks
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->";

impl Bench {
    pub fn run(self) -> Outcome {
        let gateway = std::fs::canonicalize(&self.gateway)
            .map_err(|why| format!("{}: {why}", self.gateway.display()))?;
        let mut table = self.heading(&output(Command::new(&gateway).arg("version"))?);
        println!("{table}");
        let wanted = if self.figure.is_empty() { (1..=16).collect() } else { self.figure.clone() };
        let repeats = self.repeats.max(1);
        let plan = Plan { rig: Rig { gateway }, repeats, short: self.short, wanted };
        for (numbers, run) in RUNS {
            if !numbers.iter().any(|number| plan.wants(*number)) {
                continue;
            }
            let lines = run(&plan).unwrap_or_else(|why| {
                let first = why.to_string();
                let failed = |number: &u8| Line {
                    number: *number,
                    quantity: "failed",
                    outcome: Err(first.clone()),
                };
                numbers.iter().map(failed).collect()
            });
            for line in lines {
                if plan.wants(line.number) {
                    println!("{line}");
                    table += &format!("{line}\n");
                }
            }
        }
        let load = format!("Load average at the end {}.", proc::load_average());
        println!("\n{load}");
        self.keep(&format!("{table}\n{load}\n"))
    }

    fn heading(&self, version: &str) -> String {
        let version = version.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = if self.short { ", short" } else { "" };
        format!(
            "{version}, {} profile; {}; median of {} repeats{short}; load average {}.\n\
             Each line: measured (minimum to maximum) [floor, record].\n",
            self.profile,
            machine(),
            self.repeats,
            proc::load_average()
        )
    }

    /// Replaces what stands between the marks.
    fn keep(&self, table: &str) -> Outcome {
        let Some(path) = &self.report else { return Ok(()) };
        let text = std::fs::read_to_string(path)?;
        let marks = || format!("{} has no marks for the table", path.display());
        let (before, rest) = text.split_once(BEGIN).ok_or_else(marks)?;
        let (_, after) = rest.split_once(END).ok_or_else(marks)?;
        Ok(std::fs::write(path, format!("{before}{BEGIN}```\n{table}```\n{END}{after}"))?)
    }
}

/// The processor and how many there are, and the kernel.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{count} × {}, Linux {}", name.map_or("unknown", |(_, name)| name), kernel.trim())
}
