//! Where settings come from, which wins, and what is refused.

use std::{fs, path::Path, time::Duration};

use parley::config::{Config, Loaded, Sources, catalogue};
use tempfile::tempdir;

fn sources(folder: &Path) -> Sources {
    Sources { directory: folder.to_owned(), ..Sources::default() }
}

fn set(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// With these variables and nothing else.
fn with(environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempdir().unwrap();
    let environment = set(environment);
    Config::load(&Sources { environment, ..sources(folder.path()) }).map_err(|why| why.to_string())
}

#[test]
fn the_defaults_are_embedded_mode() {
    let Loaded { config, origins } = with(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url.expose(), "sqlite://./data/parley.db");
    assert_eq!(config.keys_file, Path::new("./data/keys.json"));
    assert_eq!((config.drain_window, config.drain_rate), (Duration::from_secs(30), 1000));
    assert_eq!(config.max_connection_age, Duration::from_secs(60 * 60));
    assert!(config.is_embedded() && config.rate_limits && !config.replica.is_empty());
    assert_eq!(origins["listen"], "the default");
    assert_eq!(origins["keys_file"], "the default, in data_dir");
}

#[test]
fn a_flag_beats_the_environment_beats_dotenv_beats_the_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("parley.toml");
    fs::write(
        &file,
        "feed_interval = '2s'\nidle_timeout = '2m'\ndrain_window = '2s'\nmax_connections = 2\n",
    )
    .unwrap();
    let dotenv = "PARLEY_IDLE_TIMEOUT=3m\nPARLEY_DRAIN_WINDOW=3s\nPARLEY_MAX_CONNECTIONS=3\n";
    fs::write(folder.path().join(".env"), format!("{dotenv}OTHER=not ours\n")).unwrap();
    let Loaded { config, origins } = Config::load(&Sources {
        flags: set(&[("max_connections", "5")]),
        file: Some(file.clone()),
        environment: set(&[("PARLEY_DRAIN_WINDOW", "4s"), ("PARLEY_MAX_CONNECTIONS", "4")]),
        ..sources(folder.path())
    })
    .unwrap();
    assert_eq!(config.feed_interval, Duration::from_secs(2));
    assert_eq!(config.idle_timeout, Duration::from_secs(180));
    assert_eq!(config.drain_window, Duration::from_secs(4));
    assert_eq!(config.max_connections, 5);
    assert_eq!(origins["feed_interval"], file.display().to_string());
    assert_eq!(origins["idle_timeout"], "PARLEY_IDLE_TIMEOUT in .env");
    assert_eq!(origins["drain_window"], "the environment variable PARLEY_DRAIN_WINDOW");
    assert_eq!(origins["max_connections"], "the flag --max-connections");
}

#[test]
fn of_a_bad_line_in_dotenv_only_the_name_is_shown() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join(".env"), "PARLEY_DATABASE_URL=postgres://u:hunter2@h x\n")
        .unwrap();
    let refused = Config::load(&sources(folder.path())).unwrap_err().to_string();
    assert!(refused.contains("The line of PARLEY_DATABASE_URL in"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let loaded = with(&[("PARLEY_REDIS_URL", ""), ("PARLEY_LISTEN", "")]).unwrap();
    assert_eq!(loaded.config.listen.port(), 8080);
}

#[test]
fn nothing_needs_no_unit() {
    let loaded = with(&[("PARLEY_MAX_CONNECTION_AGE", "0")]).unwrap();
    assert!(loaded.config.max_connection_age.is_zero());
}

#[test]
fn lists_are_written_with_commas_or_as_arrays() {
    let loaded = with(&[("PARLEY_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128")]).unwrap();
    assert_eq!(loaded.config.trusted_proxies.len(), 2);

    let folder = tempdir().unwrap();
    let file = folder.path().join("parley.toml");
    fs::write(&file, "allowed_origins = ['https://Chat.example.org']\n").unwrap();
    let loaded = Config::load(&Sources { file: Some(file), ..sources(folder.path()) }).unwrap();
    assert_eq!(loaded.config.allowed_origins, ["https://chat.example.org"]);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (variable, sentence) in [
        ("PARLEY_LISTN", "There is no setting PARLEY_LISTN; the nearest is PARLEY_LISTEN."),
        ("PARLEY_REDISURL", "the nearest is PARLEY_REDIS_URL."),
        ("PARLEY_SERVICE_HOST", "enableServiceLinks: false"),
    ] {
        let refused = with(&[(variable, "x")]).unwrap_err();
        assert!(refused.contains(sentence), "{refused}");
    }
    let folder = tempdir().unwrap();
    let file = folder.path().join("parley.toml");
    fs::write(&file, "lissten = '127.0.0.1:1'\n").unwrap();
    let refused =
        Config::load(&Sources { file: Some(file), ..sources(folder.path()) }).unwrap_err();
    assert!(refused.to_string().contains("parley.toml); the nearest is listen."), "{refused}");
}

#[test]
fn every_mistake_is_a_sentence() {
    for (variable, value, sentence) in [
        ("PARLEY_LISTEN", "localhost", "such as 127.0.0.1:8080"),
        ("PARLEY_DRAIN_WINDOW", "30 seconds", "not a duration such as"),
        ("PARLEY_DRAIN_RATE", "fast", "must be a whole number"),
        ("PARLEY_MAX_CONNECTION_AGE", "60", "not a duration such as"),
        ("PARLEY_MAX_CONNECTION_AGE", "500ms", "it must be 1s to 30d, or 0 for none"),
        ("PARLEY_MAX_CONNECTIONS", "many", "must be a whole number"),
        ("PARLEY_MAX_CONNECTIONS", "-1", "must be a whole number"),
        ("PARLEY_REGISTRATION", "shut", "is none of open, closed"),
        ("PARLEY_RATE_LIMITS", "maybe", "neither on nor off"),
        ("PARLEY_TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/99"),
        ("PARLEY_ALLOWED_ORIGINS", "*", "is not an origin"),
        ("PARLEY_ALLOWED_ORIGINS", "https://a.example/path", "is not an origin"),
        ("PARLEY_DATABASE_URL", "mysql://x", "must begin with sqlite:// or postgres://"),
        ("PARLEY_REDIS_URL", "redis://localhost", "which one replica alone can use"),
        ("PARLEY_IDLE_TIMEOUT", "20s", "must be longer than heartbeat_interval"),
        ("PARLEY_ADMIN_LISTEN", "127.0.0.1:8080", "they need two ports"),
        ("PARLEY_REPLICA", "a b", "replica may have"),
        ("PARLEY_LOG_LEVEL", "parley=loud", "is not a level"),
    ] {
        let refused = with(&[(variable, value)]).unwrap_err();
        assert!(refused.contains(sentence) && refused.ends_with('.'), "{variable}: {refused}");
    }
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, "postgres://parley:hunter2@db/parley?sslpassword=hunter3\n").unwrap();
    let path = file.display().to_string();
    let loaded = with(&[("PARLEY_DATABASE_URL_FILE", &path)]).unwrap();
    assert!(loaded.config.database_url.expose().contains("hunter2"));
    assert!(loaded.origins["database_url"].contains("PARLEY_DATABASE_URL_FILE"));
    for shown in [loaded.print(), format!("{:?}", loaded.config)] {
        assert!(shown.contains("postgres://parley:***@db/parley?sslpassword=***"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }

    let both = with(&[("PARLEY_DATABASE_URL_FILE", &path), ("PARLEY_DATABASE_URL", "sqlite://x")]);
    assert!(both.unwrap_err().contains("Both database_url and database_url_file"));
    let missing = with(&[("PARLEY_DATABASE_URL_FILE", "/nowhere")]).unwrap_err();
    assert!(missing.contains("cannot be read"), "{missing}");
}

#[test]
fn what_is_printed_can_be_read_back() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("printed.toml");
    let environment = set(&[("PARLEY_RATE_LIMITS", "off"), ("PARLEY_ACCESS_TOKEN_TTL", "90s")]);
    let before = Config::load(&Sources { environment, ..sources(folder.path()) }).unwrap();
    fs::write(&file, before.print()).unwrap();
    let after = Config::load(&Sources { file: Some(file), ..sources(folder.path()) }).unwrap();
    assert_eq!(before.config.values(), after.config.values());
    let keys: Vec<_> = catalogue::settings().iter().map(|setting| setting.key.to_owned()).collect();
    let mut sorted = keys.clone();
    sorted.sort();
    let mut fields: Vec<_> = after.config.values().keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, sorted, "each field of Config stands in config.default.toml");
    assert!(catalogue::settings().iter().all(|setting| !setting.about.is_empty()));
}
