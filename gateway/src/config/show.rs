//! `gateway config print`: TOML that could be read back, each value with its
//! origin, passwords hidden.

use super::{Config, Loaded, catalogue};

impl Loaded {
    /// The effective configuration, one line each.
    pub fn print(&self) -> String {
        let values = self.config.values();
        let line = |setting: &catalogue::Setting| {
            let value = values.get(setting.key).map(toml).unwrap_or_default();
            let origin = self.origins.get(setting.key).map(String::as_str).unwrap_or_default();
            format!("{:<44} # {origin}\n", format!("{} = {value}", setting.key))
        };
        catalogue::settings().iter().map(line).collect()
    }
}

impl Config {
    /// By key, as they are shown.
    pub fn values(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(values)) => values,
            _ => serde_json::Map::new(),
        }
    }
}

/// Texts, numbers and lists of texts are written alike in JSON and TOML.
fn toml(value: &serde_json::Value) -> String {
    value.to_string()
}
