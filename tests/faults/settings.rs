//! What a run is: from the environment, or the short one of `make test`.

use std::{path::PathBuf, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisKind {
    Single,
    Cluster,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    /// Of faults; starting, the quiet phase and checking come on top.
    pub length: Duration,
    pub redis: RedisKind,
    pub users: usize,
    pub devices_each: usize,
    pub conversations: usize,
    /// Sends a second.
    pub rate: usize,
    /// Nothing new is sent for this long before everything is compared.
    pub quiet: Duration,
    /// A binary with planted bugs, and the one to show.
    pub gateway: Option<PathBuf>,
    pub planted: Option<String>,
    /// A binary of another version, for rolling restarts.
    pub previous: Option<PathBuf>,
}

impl Settings {
    /// `FAULTS_SEED`, `FAULTS_MINUTES`, `FAULTS_REDIS` (`single` or `cluster`),
    /// `FAULTS_PREVIOUS` (a binary of another version), `FAULTS_GATEWAY` and
    /// `FAULTS_PLANTED`.
    pub fn of_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let seed = text("FAULTS_SEED").map(|seed| seed.parse().expect("FAULTS_SEED is a number"));
        let minutes = text("FAULTS_MINUTES")
            .map_or(1.25, |minutes| minutes.parse::<f64>().expect("FAULTS_MINUTES is a number"));
        let redis = match text("FAULTS_REDIS").as_deref() {
            None | Some("single") => RedisKind::Single,
            Some("cluster") => RedisKind::Cluster,
            Some(other) => panic!("FAULTS_REDIS is `single` or `cluster`, not `{other}`"),
        };
        Self {
            seed: seed.unwrap_or_else(|| u64::from(std::process::id())),
            length: Duration::from_secs_f64(minutes * 60.0),
            redis,
            users: 20,
            devices_each: 3,
            conversations: 30,
            rate: 300,
            quiet: Duration::from_secs(30),
            gateway: text("FAULTS_GATEWAY").map(PathBuf::from),
            planted: text("FAULTS_PLANTED"),
            previous: text("FAULTS_PREVIOUS").map(PathBuf::from),
        }
    }

    /// The statements of a bug that is planted in the database.
    pub fn planted_sql(&self) -> Option<String> {
        let file = format!("tests/faults/planted/{}.sql", self.planted.as_ref()?);
        std::fs::read_to_string(crate::support::repository().join(file)).ok()
    }
}
