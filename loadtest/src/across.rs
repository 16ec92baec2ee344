//! From sending on one replica to a device on another, at a light and steady
//! load: each message is sent at its time, however long others take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{Outcome, Seeded, Target, device::Device};

/// How long the last messages may take.
const LAST: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Across {
    #[command(flatten)]
    target: Target,
    /// Conversations, each with one sender on the first gateway and one
    /// listener on the second
    #[arg(long, default_value_t = 50)]
    pairs: usize,
    /// Messages per second, all together
    #[arg(long, default_value_t = 100)]
    rate: u32,
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

impl Across {
    pub async fn run(self) -> Outcome {
        if self.target.url.len() < 2 {
            return Err("needs --url twice: where to send, and where to listen".into());
        }
        let users = self.target.users()?;
        let epoch = Instant::now();
        let (arrived, mut arrivals) = mpsc::unbounded_channel();
        let mut senders = Vec::new();
        for (conversation, sender, listener) in pairs(&users).into_iter().take(self.pairs) {
            let mut listener = Device::connect(self.target.url(1), listener).await?;
            senders.push((Device::connect(self.target.url(0), sender).await?, conversation));
            let arrived = arrived.clone();
            tokio::spawn(async move {
                while let Ok(frame) = listener.next().await {
                    let body =
                        frame["payload"]["body"].as_str().and_then(|body| body.split(' ').nth(1));
                    let sent = body.and_then(|micros| micros.parse().ok());
                    if let (Some("message.new"), Some(sent)) = (frame["type"].as_str(), sent) {
                        let sent = epoch + Duration::from_micros(sent);
                        let _ = arrived.send(sent.elapsed());
                    }
                }
            });
        }
        let pairs = senders.len();
        let (queues, tasks): (Vec<_>, Vec<_>) = senders.into_iter().map(spawn).unzip();
        let mut ticks = interval(Duration::from_secs(1) / self.rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let count = u64::from(self.rate) * self.seconds;
        for n in 0..count {
            ticks.tick().await;
            let body = format!("at {} of a steady load", epoch.elapsed().as_micros());
            let queue = &queues[usize::try_from(n)? % pairs];
            queue.send(body).map_err(|_| "a sender has ended")?;
        }
        drop(queues);
        for task in tasks {
            task.await??;
        }
        let mut took = Vec::new();
        while took.len() < usize::try_from(count)?
            && let Ok(Some(elapsed)) = timeout(LAST, arrivals.recv()).await
        {
            took.push(elapsed);
        }
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("pairs          {pairs}");
        println!("sent           {count}");
        println!("arrived        {}", took.len());
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
            println!("across {name:<7} {:.2} ms", at(share));
        }
        Ok(())
    }
}

type Sender = (mpsc::UnboundedSender<String>, tokio::task::JoinHandle<Outcome>);

fn spawn((mut device, conversation): (Device, Arc<str>)) -> Sender {
    let (queue, mut bodies) = mpsc::unbounded_channel::<String>();
    let task = tokio::spawn(async move {
        while let Some(body) = bodies.recv().await {
            device.send(&conversation, &body).await?;
        }
        Outcome::Ok(())
    });
    (queue, task)
}

/// Two members of each conversation that has two among these users.
fn pairs(users: &[Seeded]) -> Vec<(Arc<str>, &Seeded, &Seeded)> {
    let mut first = std::collections::HashMap::<&str, &Seeded>::new();
    let mut found = Vec::new();
    let mut taken = std::collections::HashSet::new();
    for user in users {
        for conversation in &user.conversations {
            match first.get(conversation.as_str()) {
                Some(other) if taken.insert(conversation.as_str()) => {
                    found.push((conversation.as_str().into(), *other, user));
                }
                Some(_) => {}
                None => drop(first.insert(conversation, user)),
            }
        }
    }
    found
}
