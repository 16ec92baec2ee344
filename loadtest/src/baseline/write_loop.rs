//! A bare loop of `write(2)`: the same frame to every socket, one write each,
//! and nothing else. A process of its own, for threads that share a table of
//! descriptors pay for it at every write.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use clap::Args;
use uuid::Uuid;

use crate::{
    Outcome,
    proc::Cpu,
    servers::{ports, run::Run},
    swarm::{Position, Swarm},
};

/// Has ten digits, as every seq after it: the frame keeps its length.
const FIRST_SEQ: i64 = 1_000_000_000;

#[derive(Args)]
pub struct WriteLoop {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    sockets: usize,
    /// Length of a frame with its head
    #[arg(long)]
    frame: usize,
}

impl WriteLoop {
    /// The first connection tells how many messages to write; when it ends, so
    /// does the loop.
    pub fn run(self) -> Outcome {
        let listener = TcpListener::bind(("127.0.0.1", self.port))?;
        let (mut control, _) = listener.accept()?;
        let mut sockets = Vec::with_capacity(self.sockets);
        for _ in 0..self.sockets {
            let (socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            sockets.push(socket);
        }
        let mut frame = message(self.frame);
        let digits = frame.windows(10).position(|it| it == FIRST_SEQ.to_string().as_bytes());
        let digits = digits.ok_or("the frame has no seq")?;
        let (mut seq, mut wanted) = (FIRST_SEQ, [0; 64]);
        loop {
            let count = control.read(&mut wanted)?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                seq += 1;
                frame[digits..digits + 10].copy_from_slice(seq.to_string().as_bytes());
                for socket in &mut sockets {
                    socket.write_all(&frame)?;
                }
            }
        }
    }
}

/// A frame that looks like a new message.
fn message(length: usize) -> Vec<u8> {
    let id = Uuid::nil();
    let head = format!(
        r#"{{"type":"message.new","conversation_id":"{id}","seq":{FIRST_SEQ},"event_id":"{id}","payload":{{"body":""#
    );
    let room = length.saturating_sub(4 + head.len() + 3).max(1);
    let text = format!("{head}{}\"}}}}", "x".repeat(room));
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The other side: a loop in a process of its own, and a swarm that hears it.
pub struct Receivers {
    run: Run,
    control: TcpStream,
    pub swarm: Swarm,
    sockets: u64,
}

impl Receivers {
    /// On the core that gateways have.
    pub fn start(sockets: usize, frame: usize) -> Outcome<Self> {
        let (port, program) = (ports::hold(), std::env::current_exe()?);
        let run = Run::start("write-loop", |_, command| {
            command.args(["taskset", "-c", "0"]).arg(program).arg("write-loop");
            command.args([format!("--port={port}"), format!("--sockets={sockets}")]);
            command.arg(format!("--frame={frame}"));
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let control = loop {
            match TcpStream::connect(address) {
                Ok(control) => break control,
                Err(_) if run.is_alive() => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        };
        control.set_nodelay(true)?;
        let mut swarm = Swarm::new()?;
        let begin = Position { conversation: Uuid::nil(), seq: FIRST_SEQ, event: None };
        for _ in 0..sockets {
            swarm.adopt(TcpStream::connect(address)?, begin)?;
        }
        Ok(Self { run, control, swarm, sockets: sockets as u64 })
    }

    pub fn cpu(&self) -> Outcome<Cpu> {
        Cpu::of(self.run.process)
    }

    /// Has messages written for so long, at most `window` at a time not yet
    /// received by all: deliveries.
    pub fn receive(&mut self, window: u64, time: Duration) -> Outcome<u64> {
        let before = self.swarm.tally.delivered;
        let mut asked = 0;
        let end = std::time::Instant::now() + time;
        loop {
            let received = (self.swarm.tally.delivered - before) / self.sockets;
            let over = std::time::Instant::now() > end;
            if over && received == asked {
                return Ok(self.swarm.tally.delivered - before);
            }
            while !over && asked < received + window {
                self.control.write_all(&[1])?;
                asked += 1;
            }
            self.swarm.turn(Duration::from_millis(10))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, Frame, Kind};

    #[test]
    fn the_frame_has_the_length_that_was_asked_for() {
        for length in [300, 450, 1_600] {
            let bytes = message(length);
            assert_eq!(bytes.len(), length);
            let Some((Frame::Text(text), whole)) = frame::split(&bytes) else { panic!("no frame") };
            assert_eq!(whole, length);
            assert!(matches!(frame::kind(text), Kind::Message(entry) if entry.seq == FIRST_SEQ));
        }
    }
}
