//! What an idle connection costs: resident memory and CPU of the gateway,
//! read from `/proc`, before and after.

use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};

use crate::{Outcome, Target, device::Device};

/// Connections being opened at the same time.
const AT_ONCE: usize = 32;

#[derive(Args)]
pub struct Idle {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Process id of the gateway that is measured
    #[arg(long)]
    pid: u32,
    /// How long the connections are held before measuring
    #[arg(long, default_value_t = 60)]
    hold_seconds: u64,
}

impl Idle {
    pub async fn run(self) -> Outcome {
        let users = self.target.users()?;
        // The first connections make what all share: pools, caches, threads.
        let warm = self.open(&users, 0..self.connections.min(50)).await?;
        drop(warm);
        sleep(Duration::from_secs(3)).await;
        let before = Usage::of(self.pid)?;
        let mut devices = self.open(&users, 0..self.connections).await?;
        let opened = Usage::of(self.pid)?;
        let hold = Duration::from_secs(self.hold_seconds);
        // Reading on: an unread heartbeat would measure a stalled reader.
        let read = devices
            .iter_mut()
            .map(|device| timeout(hold, async { while device.next().await.is_ok() {} }));
        let ended = futures_util::future::join_all(read).await;
        let lost = ended.iter().filter(|outcome| outcome.is_ok()).count();
        let after = Usage::of(self.pid)?;

        let connections = self.connections as f64;
        println!("connections            {}", self.connections);
        println!("lost while idle        {lost}");
        println!("RSS before             {} KiB", before.rss_kib);
        println!("RSS after {:>4} s       {} KiB", self.hold_seconds, after.rss_kib);
        let per = (after.rss_kib.saturating_sub(before.rss_kib)) as f64 / connections;
        println!("RSS per connection     {per:.1} KiB");
        let connect = (opened.cpu - before.cpu).as_secs_f64();
        println!("CPU per connect        {:.0} µs", connect / connections * 1e6);
        let idle = (after.cpu - opened.cpu).as_secs_f64() / hold.as_secs_f64();
        println!("CPU per idle connection {:.2} µs/s", idle / connections * 1e6);
        Ok(())
    }

    async fn open(
        &self,
        users: &[crate::Seeded],
        range: std::ops::Range<usize>,
    ) -> Outcome<Vec<Device>> {
        let open =
            |index: usize| Device::connect(self.target.url(index), &users[index % users.len()]);
        let opened: Vec<_> = stream::iter(range).map(open).buffered(AT_ONCE).collect().await;
        opened.into_iter().collect()
    }
}

struct Usage {
    rss_kib: u64,
    cpu: Duration,
}

impl Usage {
    fn of(pid: u32) -> Outcome<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmRSS")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // After the name, which may hold spaces; utime and stime are fields 14
        // and 15, in ticks of 10 ms.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Ok(Self { rss_kib: rss.parse()?, cpu: Duration::from_millis(ticks * 10) })
    }
}
