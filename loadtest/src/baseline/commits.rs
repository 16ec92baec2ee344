//! SQLite with one commit for each row, on the gateway's own file: what durable
//! sends cost without sharing commits. The `sqlite3` shell does it: the same
//! library, and a statement parsed is nothing beside a commit.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::Outcome;

/// Rows of a conversation that nobody is in.
pub fn commits_per_second(database: &Path, time: Duration) -> Outcome<f64> {
    let mut shell = Command::new("taskset")
        .args(["-c", "0", "sqlite3", "-batch"])
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|why| format!("sqlite3 (Debian package sqlite3): {why}"))?;
    let mut input = shell.stdin.take().ok_or("the shell has no input")?;
    let (conversation, sender) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let (begun, mut rows) = (Instant::now(), 0_u32);
    writeln!(input, ".bail on\npragma busy_timeout = 5000;\npragma synchronous = full;")?;
    // The shell takes what the pipe holds, so it is never far behind.
    while begun.elapsed() < time {
        rows += 1;
        let (id, client_msg_id) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
        writeln!(
            input,
            "insert into messages (conversation_id, seq, id, sender_id, client_msg_id, \
             request_hash, kind, body, created_at, updated_seq) values (x'{conversation}', \
             {rows}, x'{id}', x'{sender}', x'{client_msg_id}', zeroblob(32), 'text', \
             'a message of usual size, and it says what people say to each other', 0, {rows});"
        )?;
    }
    drop(input);
    let status = shell.wait()?;
    match status.success() {
        true => Ok(f64::from(rows) / begun.elapsed().as_secs_f64()),
        false => Err(format!("sqlite3: {status}").into()),
    }
}
