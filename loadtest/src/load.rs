//! Who sends: as fast as answers come back, or at a steady rate.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{Outcome, frame, swarm::Swarm};

/// Makes a message of usual size.
const PADDING: &str = "and it says what people say to each other, no more";

/// Senders, each of them a device of a swarm with its conversations.
pub struct Load {
    senders: Vec<Sender>,
    by_socket: HashMap<usize, usize>,
    /// Half of every `client_msg_id`; the other half counts.
    origin: u64,
    sent: u64,
    answered: u64,
    pub padding: String,
}

struct Sender {
    socket: usize,
    conversations: Vec<Uuid>,
    turn: usize,
}

impl Load {
    pub fn new(senders: impl IntoIterator<Item = (usize, Vec<Uuid>)>) -> Self {
        let of = |(socket, conversations)| Sender { socket, conversations, turn: 0 };
        let senders: Vec<_> = senders.into_iter().map(of).collect();
        let by_socket = senders.iter().enumerate().map(|(at, one)| (one.socket, at)).collect();
        let (origin, _) = Uuid::new_v4().as_u64_pair();
        Self { senders, by_socket, origin, sent: 0, answered: 0, padding: PADDING.to_owned() }
    }

    /// Answers so far, refusals among them.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// The next message of one sender, stamped with when it was due.
    fn send(&mut self, swarm: &mut Swarm, sender: usize, due: u64) {
        let Sender { socket, conversations, turn } = &mut self.senders[sender];
        let conversation = conversations[*turn % conversations.len()];
        *turn += 1;
        self.sent += 1;
        let id = Uuid::from_u64_pair(self.origin, self.sent);
        swarm.send(*socket, &frame::send(self.sent, conversation, id, due, &self.padding));
    }

    /// Sends one message by the first sender.
    pub fn send_one(&mut self, swarm: &mut Swarm) {
        let now = swarm.tally.now();
        self.send(swarm, 0, now);
    }

    /// Takes note of answers: whose they were.
    pub fn hear(&mut self, swarm: &mut Swarm) -> Vec<usize> {
        let answers = std::mem::take(&mut swarm.tally.answers);
        self.answered += answers.len() as u64;
        answers.iter().filter_map(|socket| self.by_socket.get(socket).copied()).collect()
    }

    /// Each sender has `depth` messages under way: how many were answered in
    /// this time. What is under way at the end is waited for.
    pub fn saturate(&mut self, swarm: &mut Swarm, depth: usize, time: Duration) -> Outcome<u64> {
        let before = self.answered;
        let end = Instant::now() + time;
        for sender in 0..self.senders.len() {
            for _ in 0..depth {
                let now = swarm.tally.now();
                self.send(swarm, sender, now);
            }
        }
        while Instant::now() < end {
            swarm.turn(Duration::from_millis(1))?;
            for sender in self.hear(swarm) {
                let now = swarm.tally.now();
                self.send(swarm, sender, now);
            }
        }
        let answered = self.answered - before;
        self.finish(swarm)?;
        Ok(answered)
    }

    /// Each sender writes so many messages into each of its conversations, one
    /// after the other.
    pub fn write(&mut self, swarm: &mut Swarm, each: usize) -> Outcome {
        let wanted = |sender: &Sender| sender.conversations.len() * each;
        let mut left: Vec<usize> = self.senders.iter().map(wanted).collect();
        let mut free: Vec<usize> = (0..self.senders.len()).collect();
        loop {
            for sender in free {
                if left[sender] > 0 {
                    left[sender] -= 1;
                    let now = swarm.tally.now();
                    self.send(swarm, sender, now);
                }
            }
            if self.answered == self.sent {
                return Ok(());
            }
            swarm.turn(Duration::from_millis(100))?;
            free = self.hear(swarm);
        }
    }

    /// So many messages a second, by the senders in turn, each stamped with the
    /// time it was due: who is late does not look fast.
    pub fn pace(&mut self, swarm: &mut Swarm, rate: f64, time: Duration) -> Outcome {
        let (begun, origin) = (Instant::now(), swarm.tally.now());
        let mut next = 0_u64;
        while begun.elapsed() < time {
            let due = (begun.elapsed().as_secs_f64() * rate) as u64;
            while next < due {
                let stamp = origin + (next as f64 / rate * 1e9) as u64;
                let sender = usize::try_from(next).unwrap_or_default() % self.senders.len();
                self.send(swarm, sender, stamp);
                next += 1;
            }
            swarm.turn(Duration::from_millis(1))?;
            self.hear(swarm);
        }
        Ok(())
    }

    /// Waits until every send is answered.
    pub fn finish(&mut self, swarm: &mut Swarm) -> Outcome {
        let end = Instant::now() + Duration::from_secs(30);
        while self.answered < self.sent {
            swarm.turn(Duration::from_millis(10))?;
            self.hear(swarm);
            if Instant::now() > end {
                let (open, sent, wrong) = (self.sent - self.answered, self.sent, swarm.tally.wrong);
                return Err(format!("{open} of {sent} sends were never answered; {wrong}").into());
            }
        }
        Ok(())
    }
}
