//! What the process takes of its machine, as the kernel counts it.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::book::Book;

/// Of `/proc/self/stat`; what every Linux has been built with for decades.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct Process {
    memory: Gauge,
    descriptors: Gauge,
    max_descriptors: Gauge,
    cpu: Counter<f64, AtomicU64>,
}

impl Process {
    pub(super) fn new(book: &mut Book) -> Self {
        Self {
            memory: book.gauge("process_resident_bytes", "Memory of the process."),
            descriptors: book.gauge("process_open_fds", "Open files and sockets of the process."),
            max_descriptors: book.gauge("process_max_fds", "How many it may have."),
            cpu: book
                .seconds("process_cpu_seconds", "CPU time of the process, in user and kernel."),
        }
    }

    /// Nothing changes where there is no `/proc`.
    pub(super) fn look(&self) {
        if let Some(resident) = resident() {
            self.memory.set(resident);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.descriptors.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let limit = limit.and_then(|limit| i64::try_from(limit).ok());
        self.max_descriptors.set(limit.unwrap_or(i64::MAX));
        if let Some(now) = cpu_seconds() {
            self.cpu.inner().store(now.to_bits(), Relaxed);
        }
    }
}

fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    field::<i64>(line, 0).map(|kib| kib * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    Some((field::<f64>(rest, 11)? + field::<f64>(rest, 12)?) / TICKS_PER_SECOND)
}

fn field<T: std::str::FromStr>(text: &str, index: usize) -> Option<T> {
    text.split_whitespace().nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_all_of_it() {
        assert!(resident().is_some_and(|bytes| bytes > 1024 * 1024));
        let burn = std::hint::black_box((0..5_000_000_u64).fold(0, |sum, n| sum ^ (n * n)));
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0), "{burn}");
    }
}
