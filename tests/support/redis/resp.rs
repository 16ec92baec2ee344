//! Just enough of Redis' protocol to give one command and read its answer.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Gives a command on a connection of its own. The answer as text, the items of
/// an array on lines of their own; what the server or the network said against
/// it otherwise.
pub(super) fn ask(port: u16, words: &[&str], limit: Duration) -> Result<String, String> {
    exchange(port, words, limit).unwrap_or_else(|why| Err(why.to_string()))
}

fn exchange(port: u16, words: &[&str], limit: Duration) -> io::Result<Result<String, String>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(command.as_bytes())?;
    answer(&mut BufReader::new(stream))
}

fn answer(stream: &mut impl BufRead) -> io::Result<Result<String, String>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("no answer: {line:?}"));
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(broken)?;
    // -1 stands for no value; it reads as an empty one.
    let length = || rest.parse::<isize>().map(|n| n.max(0) as usize).map_err(|_| broken());
    match kind {
        "+" | ":" => Ok(Ok(rest.to_owned())),
        "-" => Ok(Err(rest.to_owned())),
        "$" if rest == "-1" => Ok(Ok(String::new())),
        "$" => {
            let mut value = vec![0; length()? + 2];
            stream.read_exact(&mut value)?;
            value.truncate(value.len() - 2);
            Ok(Ok(String::from_utf8_lossy(&value).into_owned()))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..length()? {
                match answer(stream)? {
                    Ok(item) => items.push(item),
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            Ok(Ok(items.join("\n")))
        }
        _ => Err(broken()),
    }
}
