//! Many devices on one thread: edge-triggered, one shared read buffer, frames
//! counted where they lie. Every entry of every log is checked against its
//! place, in every figure.

mod socket;
mod tally;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

pub use self::{
    socket::{End, Position, Socket},
    tally::{Tally, Wrong},
};
use crate::{Outcome, rig::User};

/// Devices that connect at the same time.
const AT_ONCE: usize = 64;
/// Bytes read at once; most reads are far smaller.
const SCRATCH: usize = 64 * 1024;
/// Longer, and something is broken.
const CONNECTS: Duration = Duration::from_secs(300);
/// How long who was refused without a word waits.
const COME_AGAIN: Duration = Duration::from_secs(1);
const SETTLES: Duration = Duration::from_secs(10);

pub struct Swarm {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    sockets: Vec<Socket>,
    pub tally: Tally,
}

impl Swarm {
    pub fn new() -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: vec![0; SCRATCH],
            sockets: Vec::new(),
            tally: Tally::new(),
        })
    }

    /// Begins to connect; the new socket's number.
    pub fn open(&mut self, address: SocketAddr, user: &User) -> Outcome<usize> {
        let mut stream = TcpStream::connect(address)?;
        let index = self.register(&mut stream)?;
        self.sockets.push(Socket::connecting(stream, address, &user.access_token));
        Ok(index)
    }

    /// Connects again in the place of a socket that has ended: the same device,
    /// with the positions it had.
    pub fn reopen(&mut self, index: usize, address: SocketAddr, user: &User) -> Outcome {
        let mut stream = TcpStream::connect(address)?;
        self.poll.registry().register(&mut stream, Token(index), INTEREST)?;
        let mut socket = Socket::connecting(stream, address, &user.access_token);
        socket.positions = std::mem::take(&mut self.sockets[index].positions);
        self.sockets[index] = socket;
        Ok(())
    }

    /// Takes a socket that hears entries from the beginning, without asking.
    pub fn adopt(&mut self, stream: std::net::TcpStream, position: Position) -> Outcome<usize> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let index = self.register(&mut stream)?;
        self.sockets.push(Socket::live(stream, position));
        Ok(index)
    }

    fn register(&mut self, stream: &mut TcpStream) -> Outcome<usize> {
        let index = self.sockets.len();
        self.poll.registry().register(stream, Token(index), INTEREST)?;
        Ok(index)
    }

    /// Connects all and waits until they are live: their numbers, in order. Who
    /// is told to come later does.
    pub fn connect<'a>(
        &mut self,
        devices: impl IntoIterator<Item = (SocketAddr, &'a User)>,
    ) -> Outcome<Vec<usize>> {
        let (first, devices) = (self.sockets.len(), devices.into_iter().collect::<Vec<_>>());
        self.bring(first, &devices)?;
        Ok((first..self.sockets.len()).collect())
    }

    /// Likewise, in the places and from the positions that they had.
    pub fn reconnect(&mut self, address: SocketAddr, users: &[User]) -> Outcome {
        self.bring(0, &users.iter().map(|user| (address, user)).collect::<Vec<_>>())
    }

    fn bring(&mut self, first: usize, devices: &[(SocketAddr, &User)]) -> Outcome {
        let (begun, mut live, mut under_way) = (Instant::now(), 0, 0);
        let mut waiting: VecDeque<_> = (0..devices.len()).map(|device| (begun, device)).collect();
        self.tally.changed.clear();
        while live < devices.len() {
            while under_way < AT_ONCE
                && let Some((_, device)) = waiting.pop_front_if(|(due, _)| *due <= Instant::now())
            {
                let (address, user) = devices[device];
                match first + device {
                    new if new == self.sockets.len() => drop(self.open(address, user)?),
                    known => self.reopen(known, address, user)?,
                }
                under_way += 1;
            }
            self.turn(Duration::from_millis(20))?;
            for index in std::mem::take(&mut self.tally.changed) {
                under_way -= 1;
                match self.sockets[index].ended() {
                    None => live += 1,
                    Some(End::Later(after)) => {
                        let due = Instant::now() + after.unwrap_or(COME_AGAIN);
                        waiting.push_back((due, index - first));
                    }
                    Some(end) => return Err(format!("a device could not connect: {end}").into()),
                }
            }
            if begun.elapsed() > CONNECTS {
                return Err(format!("{live} of {} devices are live", devices.len()).into());
            }
        }
        Ok(())
    }

    /// Waits for anything to happen, at most this long, and takes all of it.
    pub fn turn(&mut self, wait: Duration) -> Outcome {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let index = event.token().0;
            let socket = &mut self.sockets[index];
            if event.is_writable() {
                socket.flush();
            }
            socket.read(index, &mut self.scratch, &mut self.tally);
        }
        Ok(())
    }

    pub fn send(&mut self, index: usize, frame: &[u8]) {
        self.sockets[index].send(frame);
    }

    pub fn socket(&self, index: usize) -> &Socket {
        &self.sockets[index]
    }

    /// Leaves these out of the latencies.
    pub fn leave_out(&mut self, sockets: &[usize]) {
        sockets.iter().for_each(|index| self.sockets[*index].sampled = false);
    }

    /// Takes what happens for a while.
    pub fn listen(&mut self, time: Duration) -> Outcome {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(Duration::from_millis(10))?;
        }
        Ok(())
    }

    /// Stops reading from a socket, with the smallest buffer the system has.
    pub fn stall(&mut self, index: usize) -> Outcome {
        let socket = &mut self.sockets[index];
        socket.stalled = true;
        socket2::SockRef::from(&socket.stream).set_recv_buffer_size(1)?;
        Ok(())
    }

    pub fn close(&mut self, index: usize) {
        self.sockets[index].end(End::Here, index, &mut self.tally);
    }

    /// Whether a socket has everything that was acknowledged in its
    /// conversations; how many entries it lacks.
    fn lacks(&self, socket: &Socket) -> u64 {
        let lack = |position: &Position| {
            let top = self.tally.acknowledged(position.conversation)?;
            u64::try_from(top - position.seq).ok()
        };
        socket.positions.iter().filter_map(lack).sum()
    }

    /// Takes what is still under way, and then the account of what went wrong.
    pub fn settle(&mut self) -> Outcome<Wrong> {
        let end = Instant::now() + SETTLES;
        loop {
            self.turn(Duration::from_millis(20))?;
            let listening = self.sockets.iter().filter(|socket| socket.listens());
            let lacking: u64 = listening.map(|socket| self.lacks(socket)).sum();
            if lacking == 0 || Instant::now() > end {
                let mut wrong = self.tally.wrong;
                wrong.lost += lacking;
                wrong.doubled += self.tally.written_twice();
                if let Some(refusal) = self.tally.refusal.take() {
                    eprintln!("The first send that was refused was told {refusal}");
                }
                if lacking > 0 {
                    eprintln!("{lacking} entries had not arrived {} s later", SETTLES.as_secs());
                }
                return Ok(wrong);
            }
        }
    }
}

const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);
