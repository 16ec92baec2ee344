//! Where settings come from: each layer names its keys, unknown ones are
//! refused with the nearest known one, and `*_file` is read.

use std::path::{Path, PathBuf};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    ConfigError,
    catalogue::{self, SECRETS},
};

/// What is looked at, besides the compiled-in defaults. [`Sources::of_process`]
/// is the real thing; tests make their own.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `listen` → `0.0.0.0:80`, from `--listen 0.0.0.0:80`.
    pub flags: Vec<(String, String)>,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// Only `PARLEY_*` matters.
    pub environment: Vec<(String, String)>,
    /// Where a `.env` is looked for.
    pub directory: PathBuf,
}

impl Sources {
    pub fn of_process(flags: Vec<(String, String)>, file: Option<PathBuf>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        Self { flags, file, environment, directory: PathBuf::from(".") }
    }
}

/// One value of one layer.
struct Entry {
    key: String,
    value: Value,
    /// As its author wrote the key: `PARLEY_LISTEN`, `--listen`, `listen`.
    written: String,
    /// For messages: "the environment variable PARLEY_LISTEN".
    origin: String,
}

/// All layers, lowest first, each value with its origin as figment's metadata.
pub(super) fn collect(sources: &Sources) -> Result<Figment, ConfigError> {
    let dotenv = dotenv(&sources.directory)?;
    let environment = sources.environment.clone();
    let file = config_file(sources, &dotenv);

    let mut layers = vec![toml(catalogue::DEFAULTS, "the default")?];
    if let Some(path) = file {
        let text = std::fs::read_to_string(&path).map_err(|why| {
            ConfigError::one(format!(
                "The configuration file {} cannot be read: {why}.",
                path.display()
            ))
        })?;
        layers.push(toml(&text, &path.display().to_string())?);
    }
    layers.push(variables(dotenv, |name| format!("{name} in .env")));
    layers.push(variables(environment, |name| format!("the environment variable {name}")));
    layers.push(flags(&sources.flags));

    let mut figment = Figment::new();
    let mut problems = Vec::new();
    for layer in layers {
        for entry in resolve(layer, &mut problems) {
            figment = figment.merge(entry);
        }
    }
    if problems.is_empty() { Ok(figment) } else { Err(ConfigError(problems)) }
}

/// `--config`, else `PARLEY_CONFIG` of the environment, else of `.env`.
fn config_file(sources: &Sources, dotenv: &[(String, String)]) -> Option<PathBuf> {
    let named = |variables: &[(String, String)]| {
        let set = |(name, value): &&(String, String)| name == "PARLEY_CONFIG" && !value.is_empty();
        variables.iter().find(set).map(|(_, path)| PathBuf::from(path))
    };
    sources.file.clone().or_else(|| named(&sources.environment)).or_else(|| named(dotenv))
}

fn dotenv(directory: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let path = directory.join(".env");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).map_err(|why| {
        ConfigError::one(format!("The file {} cannot be read: {why}.", path.display()))
    })?;
    // Line by line: those of other programs are theirs, and of a bad line of
    // ours only the name is shown, for the value may be a password.
    let name = |line: &str| {
        let name = line.trim().trim_start_matches("export ").split('=').next().unwrap_or_default();
        name.trim().to_owned()
    };
    let ours = text.lines().filter(|line| name(line).starts_with("PARLEY_"));
    let parse = |line: &str| {
        dotenvy::from_read_iter(line.as_bytes()).next().and_then(Result::ok).ok_or_else(|| {
            ConfigError::one(format!(
                "The line of {} in {} cannot be understood; put the value in quotes.",
                name(line),
                path.display()
            ))
        })
    };
    ours.map(parse).collect()
}

fn toml(text: &str, origin: &str) -> Result<Vec<Entry>, ConfigError> {
    let data = Toml::string(text).data().map_err(|why| {
        let first = why.to_string().lines().next().unwrap_or_default().to_owned();
        ConfigError::one(format!("The configuration file {origin} is not valid TOML: {first}."))
    })?;
    let values = data.into_values().flatten();
    Ok(values
        .map(|(key, value)| Entry { written: key.clone(), key, value, origin: origin.to_owned() })
        .collect())
}

fn variables(all: Vec<(String, String)>, origin: impl Fn(&str) -> String) -> Vec<Entry> {
    let ours = |(name, value): (String, String)| {
        let key = name.strip_prefix("PARLEY_")?.to_lowercase();
        (key != "config").then(|| Entry {
            key,
            value: value.into(),
            origin: origin(&name),
            written: name,
        })
    };
    all.into_iter().filter_map(ours).collect()
}

fn flags(flags: &[(String, String)]) -> Vec<Entry> {
    let entry = |(key, value): &(String, String)| {
        let written = format!("--{}", key.replace('_', "-"));
        let origin = format!("the flag {written}");
        Entry { key: key.clone(), value: value.clone().into(), written, origin }
    };
    flags.iter().map(entry).collect()
}

/// Refuses unknown keys and turns `x_file` into `x`.
fn resolve(layer: Vec<Entry>, problems: &mut Vec<String>) -> Vec<Entry> {
    let written: Vec<String> = layer.iter().map(|entry| entry.key.clone()).collect();
    let mut resolved = Vec::new();
    for mut entry in layer {
        if let Some(secret) = entry.key.strip_suffix("_file").filter(|key| SECRETS.contains(key)) {
            let path = entry.value.as_str().unwrap_or_default().to_owned();
            if path.is_empty() {
                continue;
            }
            if written.iter().any(|key| key == secret) {
                problems.push(format!(
                    "Both {secret} and {secret}_file are set at the same place ({}); set one of them.",
                    entry.origin
                ));
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(value) => {
                    let origin = format!("the file {path} named by {}", entry.origin);
                    let value = Value::from(value.trim_end().to_owned());
                    resolved.push(Entry { key: secret.to_owned(), value, origin, ..entry });
                }
                Err(why) => problems.push(format!(
                    "The file {path} named by {} cannot be read: {why}.",
                    entry.origin
                )),
            }
        } else if catalogue::settings().iter().any(|setting| setting.key == entry.key) {
            // An empty value in a higher layer means "not set here".
            if entry.value.as_str() != Some("") || entry.origin == "the default" {
                resolved.push(entry);
            }
        } else {
            entry.written = unknown(&entry);
            problems.push(entry.written);
        }
    }
    resolved
}

fn unknown(entry: &Entry) -> String {
    let secret_files = SECRETS.iter().map(|key| format!("{key}_file"));
    let known = catalogue::settings().iter().map(|setting| setting.key.to_owned());
    let near = |key: &String| (strsim::jaro_winkler(key, &entry.key) * 1000.0) as u32;
    let nearest = known.chain(secret_files).max_by_key(near).unwrap_or_default();
    let nearest = match entry.written.chars().next() {
        Some('P') => catalogue::variable(&nearest),
        Some('-') => format!("--{}", nearest.replace('_', "-")),
        _ => nearest,
    };
    let mut sentence = match entry.origin.strip_suffix(&entry.written) {
        Some(_) => format!("There is no setting {}", entry.written),
        None => format!("There is no setting {} ({})", entry.written, entry.origin),
    };
    sentence += &format!("; the nearest is {nearest}.");
    // Kubernetes injects these beside a Service called `parley`.
    if ["service_host", "service_port", "_tcp", "_addr", "_proto", "_port"]
        .iter()
        .any(|end| entry.key.ends_with(end))
    {
        sentence +=
            " If Kubernetes made it for a Service, set enableServiceLinks: false in the pod.";
    }
    sentence
}

impl Provider for Entry {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = Dict::from([(self.key.clone(), self.value.clone())]);
        Ok(Map::from([(Profile::Default, dict)]))
    }
}
