//! A real Redis, without persistence.

use super::{Cores, bound, program, wait_for};
use crate::{
    Outcome,
    proc::Cpu,
    servers::{ports, run::Run},
};

pub(super) struct Redis {
    run: Run,
    port: u16,
}

impl Redis {
    pub(super) fn start(cores: Cores) -> Outcome<Self> {
        let binary = program("redis-server", "redis-server")?;
        let port = ports::hold();
        let run = Run::start("redis", |folder, command| {
            bound(command, cores.databases(), &binary);
            command
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(folder);
        });
        let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_for(&run, answers)?;
        Ok(Self { run, port })
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn cpu(&self) -> Outcome<Cpu> {
        Cpu::of(self.run.process)
    }
}
