//! Durable sends: each sender waits for its acknowledgement, then sends again.

use std::time::{Duration, Instant};

use clap::Args;

use crate::{Outcome, Target, device::Device};

#[derive(Args)]
pub struct Send {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 256)]
    senders: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// All into one conversation, the first of the first user
    #[arg(long)]
    hot: bool,
}

impl Send {
    pub async fn run(self) -> Outcome {
        let users = self.target.users()?;
        let hot = users[0].conversations.first().cloned();
        let mut devices = Vec::new();
        for (index, user) in users.iter().enumerate() {
            let wanted = match &hot {
                Some(hot) if self.hot => user.conversations.contains(hot).then(|| hot.clone()),
                _ => user.conversations.get(index % user.conversations.len().max(1)).cloned(),
            };
            if let Some(conversation) = wanted {
                let device = Device::connect(self.target.url(index), user).await?;
                devices.push((device, conversation));
            }
            if devices.len() == self.senders {
                break;
            }
        }
        let senders = devices.len();
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let tasks: Vec<_> = devices
            .into_iter()
            .map(|(mut device, conversation)| {
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    while Instant::now() < end {
                        let begun = Instant::now();
                        device
                            .send(&conversation, "hello, this is a message of usual size")
                            .await?;
                        took.push(begun.elapsed());
                    }
                    Outcome::Ok(took)
                })
            })
            .collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await??);
        }
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("senders        {senders}");
        println!("acknowledged   {}", took.len());
        println!("sends per s    {:.0}", took.len() as f64 / self.seconds as f64);
        println!("ack p50        {:.2} ms", at(0.5));
        println!("ack p99        {:.2} ms", at(0.99));
        Ok(())
    }
}
