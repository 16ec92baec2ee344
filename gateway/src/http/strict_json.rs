//! JSON as strictly as it can be read. serde_json refuses trailing text,
//! numbers without a value, lone surrogates and nesting beyond 128; a map, it
//! fills with the last of several equal keys, and U+0000 it lets through.

use std::{collections::HashSet, fmt};

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

/// Reads `T`; refuses equal keys in any object and U+0000 in any text. The
/// error is serde's own sentence.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes)?;
    serde_json::from_slice(bytes)
}

/// Any value that keeps the two rules.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Strict, E> {
        no_nul(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        while seq.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            no_nul::<A::Error>(&key)?;
            map.next_value::<Strict>()?;
            if let Some(twice) = keys.replace(key) {
                return Err(Error::custom(format_args!("duplicate field `{twice}`")));
            }
        }
        Ok(Strict)
    }
}

fn no_nul<E: Error>(text: &str) -> Result<Strict, E> {
    if text.contains('\0') {
        return Err(E::custom("text must not contain the character U+0000"));
    }
    Ok(Strict)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn good_json_is_read() {
        for text in ["1", "null", r#"{"a":1,"b":[true,1.5,"é\n",{"a":2}]}"#, " [] "] {
            assert_eq!(
                read::<Value>(text.as_bytes()).expect(text),
                text.parse::<Value>().expect(text)
            );
        }
    }

    #[test]
    fn bad_json_is_refused_quickly() {
        let deep = "[".repeat(100_000);
        let deep_objects = r#"{"a":"#.repeat(20_000);
        let bad = [
            deep.as_str(),
            &deep_objects,
            "",
            "{",
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":1} x"#,
            r#"{"a":1}{}"#,
            "1e999",
            "NaN",
            "01",
            "'a'",
            r#""\ud800""#,
            r#""\u0000""#,
            r#"{"a\u0000":1}"#,
            "[1,]",
            "// comment\n1",
        ];
        for text in bad {
            assert!(read::<Value>(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(read::<Value>(b"\"\xff\"").is_err());
    }
}
