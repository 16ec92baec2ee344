//! How settings are written: durations, switches, lists, addresses, and URLs
//! that may hold a password. Each module is a pair for `#[serde(with = …)]`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A URL that is shown without its password, whoever prints it.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole of it, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `postgres`, `sqlite`, `redis` …, in lower case.
    pub fn scheme(&self) -> String {
        self.0.split(':').next().unwrap_or_default().to_ascii_lowercase()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redacted(&self.0))
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// `postgres://parley:***@db/parley`. What is no URL at all is hidden whole:
/// it may be a password in the wrong place.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.strip_prefix("sqlite:") {
            Some(_) => url.to_owned(),
            None if url.is_empty() => String::new(),
            None => "***".to_owned(),
        };
    };
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    // The last `@`: an unescaped one in the password must not end it.
    let shown = match before_query.rsplit_once('@') {
        Some((user_info, host)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("{user_info}@{host}"),
        },
        None => before_query.to_owned(),
    };
    let query = query.map(|query| {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                format!("{name}=***")
            }
            _ => pair.to_owned(),
        };
        format!("?{}", query.split('&').map(hide).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{shown}{}", query.unwrap_or_default())
}

/// `500ms`, `30s`, `15m`, `12h`, `30d`; `0` needs no unit.
pub mod duration {
    use super::*;

    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    pub fn parse(text: &str) -> Option<Duration> {
        if text == "0" {
            return Some(Duration::ZERO);
        }
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(split);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
        Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*millis)?))
    }

    /// In the largest unit that divides it.
    pub fn show(duration: Duration) -> String {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let fits = |(_, unit): &&(&str, u64)| millis > 0 && millis % unit == 0;
        let (name, unit) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[1]);
        format!("{}{name}", millis / unit)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = text(from)?;
        parse(&text).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is not a duration such as 500ms, 30s, 15m or 30d"))
        })
    }

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show(*duration))
    }
}

/// `on` or `off`; `true` and `false` are understood.
pub mod switch {
    use super::*;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
        match text(from)?.to_ascii_lowercase().as_str() {
            "on" | "true" => Ok(true),
            "off" | "false" => Ok(false),
            other => Err(D::Error::custom(format!("`{other}` is neither on nor off"))),
        }
    }

    pub fn serialize<S: Serializer>(on: &bool, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if *on { "on" } else { "off" })
    }
}

/// An IP address and a port.
pub mod address {
    use std::net::SocketAddr;

    use super::*;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
        let text = text(from)?;
        text.parse().map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is not an IP address and a port such as 127.0.0.1:8080 or [::]:8080"
            ))
        })
    }

    pub fn serialize<S: Serializer>(address: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(address)
    }
}

/// A TOML array, or one string with commas between.
pub mod list {
    use std::{fmt::Display, str::FromStr};

    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Commas(String),
        Array(Vec<String>),
    }

    pub fn deserialize<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let items = match Written::deserialize(from)? {
            Written::Commas(text) => text.split(',').map(str::to_owned).collect(),
            Written::Array(items) => items,
        };
        let parse =
            |item: &str| item.parse().map_err(|why| D::Error::custom(format!("`{item}`: {why}")));
        items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).map(parse).collect()
    }

    pub fn serialize<S: Serializer, T: Display>(items: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(items.iter().map(ToString::to_string))
    }
}

/// A scalar as it was written: TOML may give a number or a boolean where the
/// environment gives text.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Scalar;

    impl serde::de::Visitor<'_> for Scalar {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
            Ok(value.to_owned())
        }
        fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
            Ok(value.to_string())
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
            Ok(value.to_string())
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
            Ok(value.to_string())
        }
    }

    from.deserialize_any(Scalar)
}
