//! What a text field may hold, and the sentence that says so when it does not.
//! Each check returns the text as it is to be stored.

use std::fmt;

use super::limits;

/// A field that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    pub field: &'static str,
    pub reason: String,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

fn bounded(
    field: &'static str,
    value: &str,
    min: usize,
    max: usize,
) -> Result<String, InvalidField> {
    let refuse = |reason| Err(InvalidField { field, reason });
    let chars = value.chars().count();
    if value.contains('\0') {
        return refuse("must not contain the character U+0000".into());
    }
    if chars > max {
        return refuse(format!("has {chars} characters; at most {max} are allowed"));
    }
    if chars < min {
        return refuse(match min {
            1 => "must not be empty".into(),
            _ => format!("has {chars} characters; at least {min} are needed"),
        });
    }
    Ok(value.to_owned())
}

/// A message's text: 1 to 4,000 characters, at most 16 KiB, not blank.
pub fn body(value: &str) -> Result<String, InvalidField> {
    let body = bounded("body", value, 1, limits::BODY_CHARS)?;
    let bytes = body.len();
    if bytes > limits::BODY_BYTES {
        let reason = format!("has {bytes} bytes; at most {} are allowed", limits::BODY_BYTES);
        return Err(InvalidField { field: "body", reason });
    }
    not_blank("body", &body)?;
    Ok(body)
}

pub fn title(value: &str) -> Result<String, InvalidField> {
    single_line("title", value.trim(), limits::TITLE_CHARS)
}

pub fn display_name(value: &str) -> Result<String, InvalidField> {
    single_line("display_name", value.trim(), limits::DISPLAY_NAME_CHARS)
}

pub fn device_label(value: &str) -> Result<String, InvalidField> {
    single_line("device_label", value.trim(), limits::LABEL_CHARS)
}

/// 1 to 32 of `a-z A-Z 0-9 . _ -`, starting with a letter or digit.
pub fn username(value: &str) -> Result<String, InvalidField> {
    let name = bounded("username", value, limits::USERNAME_MIN, limits::USERNAME_MAX)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(allowed) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let reason = "may hold letters a-z, digits, '.', '_' and '-', and starts with a \
                      letter or digit";
        return Err(InvalidField { field: "username", reason: reason.into() });
    }
    Ok(name)
}

/// Only the length is ruled; what people may put in it is not.
pub fn password(value: &str) -> Result<String, InvalidField> {
    bounded("password", value, limits::PASSWORD_MIN, limits::PASSWORD_MAX)
}

fn single_line(field: &'static str, value: &str, max: usize) -> Result<String, InvalidField> {
    let line = bounded(field, value, 1, max)?;
    not_blank(field, &line)?;
    if line.chars().any(char::is_control) {
        let reason = "must not contain line breaks or control characters".into();
        return Err(InvalidField { field, reason });
    }
    Ok(line)
}

fn not_blank(field: &'static str, value: &str) -> Result<(), InvalidField> {
    if value.trim().is_empty() {
        return Err(InvalidField { field, reason: "must not be blank".into() });
    }
    Ok(())
}
