//! One replica, as a process of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
};

use super::{Cores, bound, wait_for, without_settings};
use crate::{
    Outcome,
    servers::{ports, run::Run},
};

pub struct Gateway {
    run: Run,
    pub address: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    pub(super) fn start(binary: &Path, cores: Cores, settings: &[String]) -> Outcome<Self> {
        let place = || SocketAddr::from(([127, 0, 0, 1], ports::hold()));
        let (address, admin) = (place(), place());
        let run = Run::start("gateway", |_, command| {
            without_settings(command);
            bound(command, cores.gateway(), binary);
            command
                .arg("serve")
                .args([format!("--listen={address}"), format!("--admin-listen={admin}")])
                .args(["--rate-limits=off", "--log-level=warn"])
                .args(settings);
        });
        let gateway = Self { run, address, admin };
        let is_ready = || gateway.ask("/readyz").is_ok_and(|answer| answer.contains(" 200 "));
        wait_for(&gateway.run, is_ready)?;
        Ok(gateway)
    }

    pub fn process(&self) -> u32 {
        self.run.process
    }

    /// The sum of the metrics of this name, whatever their labels.
    pub fn figure(&self, name: &str) -> Outcome<f64> {
        let text = self.ask("/metrics")?;
        let is_meant =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = text.lines().filter(is_meant).filter_map(|line| line.rsplit_once(' '));
        Ok(values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum())
    }

    fn ask(&self, path: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
