//! A replica dies, messages go on, and all of its devices come to the others at
//! once, each with the position it had: how long until all are live again, and
//! what that cost.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_tungstenite::tungstenite;

use crate::{Outcome, Seeded, Target, device::Device};

/// Connections being opened, and conversations being written to, at once.
const AT_ONCE: usize = 64;
/// How long who was refused without a word waits, at most.
const BACKOFF: Duration = Duration::from_secs(2);
/// What is counted of the survivors.
const COUNTED: [&str; 3] = ["parley_log_reads", "parley_gaps_filled", "parley_resumes_refused"];

#[derive(Args)]
pub struct Resume {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// Messages that each conversation gets meanwhile
    #[arg(long, default_value_t = 5)]
    missed: usize,
    /// Process id of the first gateway, which is killed
    #[arg(long)]
    pid: u32,
    /// host:port of the admin listeners of the others
    #[arg(long)]
    admin: Vec<String>,
}

/// Conversation → seq and event id of the highest entry applied.
type Cursors = HashMap<String, (i64, Value)>;

#[derive(Default)]
struct Resumed {
    took: Duration,
    entries: usize,
    holes: usize,
    refused: usize,
    sent_back: usize,
}

impl Resume {
    pub async fn run(self) -> Outcome {
        if self.target.url.len() < 2 {
            return Err("needs --url twice: who dies, and who takes over".into());
        }
        let users = self.target.users()?;
        let users = &users[..self.devices.min(users.len())];
        let first = self.target.url(0);
        let connect = |user| async move {
            let (mut device, mut cursors) = (Device::open(first, user).await?, Cursors::new());
            device.hello(&json!({})).await?;
            loop {
                let frame = device.next().await?;
                if frame["type"] == "live" {
                    return Outcome::Ok((device, cursors));
                }
                for item in frame["payload"]["items"].as_array().into_iter().flatten() {
                    let at =
                        (item["last_seq"].as_i64().unwrap_or(0), item["last_event_id"].clone());
                    cursors.insert(item["id"].as_str().unwrap_or_default().to_owned(), at);
                }
            }
        };
        let opened = stream::iter(users).map(connect).buffered(AT_ONCE);
        let (devices, cursors): (Vec<_>, Vec<_>) =
            opened.try_collect::<Vec<_>>().await?.into_iter().unzip();
        std::process::Command::new("kill").args(["-9", &self.pid.to_string()]).status()?;
        drop(devices);
        self.write(users).await?;

        let before = self.counted().await?;
        let begun = Instant::now();
        let back = users.iter().zip(cursors).enumerate().map(|(index, (user, cursors))| {
            let (url, user) =
                (self.target.url(1 + index % (self.target.url.len() - 1)), user.clone());
            let url = url.to_owned();
            tokio::spawn(async move { come_back(&url, &user, cursors, begun).await })
        });
        let back: Vec<_> = back.collect();
        let (mut all, mut held) = (Vec::new(), Vec::new());
        for task in back {
            let (device, resumed) = task.await??;
            held.push(device);
            all.push(resumed);
        }
        all.sort_unstable_by_key(|resumed| resumed.took);
        let sum = |of: fn(&Resumed) -> usize| all.iter().map(of).sum::<usize>();
        println!("devices        {}", all.len());
        println!("entries        {}, holes {}", sum(|r| r.entries), sum(|r| r.holes));
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("last", 1.0)] {
            let at = ((all.len() - 1) as f64 * share) as usize;
            println!("live {name:<9} {:.2} s", all[at].took.as_secs_f64());
        }
        println!("told 503       {}", sum(|r| r.refused));
        println!("closed 1013    {}", sum(|r| r.sent_back));
        for (name, count) in self.counted().await? {
            let count = count - before.get(&name).copied().unwrap_or(0.0);
            println!("{name} {count}");
        }
        Ok(())
    }

    /// What the devices miss.
    async fn write(&self, users: &[Seeded]) -> Outcome {
        let mut writers = HashMap::<&str, &Seeded>::new();
        for user in users {
            for conversation in &user.conversations {
                writers.entry(conversation).or_insert(user);
            }
        }
        let mut by_writer = BTreeMap::<&str, (&Seeded, Vec<&str>)>::new();
        for (conversation, user) in writers {
            by_writer.entry(&user.access_token).or_insert((user, vec![])).1.push(conversation);
        }
        let write = |(user, conversations): (&Seeded, Vec<&str>)| {
            let (user, url) = (user.clone(), self.target.url(1).to_owned());
            let conversations: Vec<_> = conversations.into_iter().map(str::to_owned).collect();
            let missed = self.missed;
            async move {
                let mut device = Device::connect(&url, &user).await?;
                for conversation in conversations {
                    for n in 0..missed {
                        let body = format!("{n} of what was said meanwhile, of usual size");
                        device.send(&conversation, &body).await?;
                    }
                }
                Outcome::Ok(())
            }
        };
        let written: Vec<_> = by_writer.into_values().map(write).collect();
        stream::iter(written).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// Sums over all survivors, by name and labels.
    async fn counted(&self) -> Outcome<BTreeMap<String, f64>> {
        let mut sums = BTreeMap::new();
        for admin in &self.admin {
            let mut stream = TcpStream::connect(admin).await?;
            let request =
                format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            for line in text.lines().filter(|l| COUNTED.iter().any(|name| l.starts_with(name))) {
                let Some((name, value)) = line.rsplit_once(' ') else { continue };
                *sums.entry(name.to_owned()).or_insert(0.0) += value.parse().unwrap_or(0.0);
            }
        }
        Ok(sums)
    }
}

/// Until it is live; a refusal is waited out as it asks.
async fn come_back(
    url: &str,
    user: &Seeded,
    mut cursors: Cursors,
    begun: Instant,
) -> Outcome<(Device, Resumed)> {
    let mut resumed = Resumed::default();
    let shake =
        |most: Duration| most.mul_f64(uuid::Uuid::new_v4().as_u128() as f64 / u128::MAX as f64);
    loop {
        let mut wait = None;
        match Device::open(url, user).await {
            Ok(mut device) => {
                if catch_up(&mut device, &mut cursors, &mut resumed, &mut wait).await.is_ok() {
                    resumed.took = begun.elapsed();
                    return Ok((device, resumed));
                }
                resumed.sent_back += 1;
            }
            Err(error) => match error.downcast_ref::<tungstenite::Error>() {
                Some(tungstenite::Error::Http(answer)) => {
                    resumed.refused += 1;
                    let body = answer.body().as_deref().unwrap_or_default();
                    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
                    wait = problem["retry_after_ms"].as_u64().map(Duration::from_millis);
                }
                _ => return Err(error),
            },
        }
        sleep(wait.unwrap_or_else(|| shake(BACKOFF))).await;
    }
}

async fn catch_up(
    device: &mut Device,
    cursors: &mut Cursors,
    resumed: &mut Resumed,
    wait: &mut Option<Duration>,
) -> Outcome {
    let at = |(seq, event_id): &(i64, Value)| json!({ "seq": seq, "event_id": event_id });
    let told: serde_json::Map<_, _> = cursors.iter().map(|(id, c)| (id.clone(), at(c))).collect();
    device.hello(&Value::Object(told)).await?;
    loop {
        let frame = device.next().await?;
        match frame["type"].as_str() {
            Some("live") => return Ok(()),
            Some("reconnect") => {
                *wait = frame["payload"]["after_ms"].as_u64().map(Duration::from_millis);
            }
            Some("message.new" | "message.updated" | "log.skip") => {
                let id = frame["conversation_id"].as_str().unwrap_or_default();
                let seq = frame["seq"].as_i64().unwrap_or_default();
                let Some(cursor) = cursors.get_mut(id) else { continue };
                resumed.entries += 1;
                resumed.holes += usize::from(seq != cursor.0 + 1);
                *cursor = (seq, frame["event_id"].clone());
            }
            _ => {}
        }
    }
}
