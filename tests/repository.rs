//! The repository checks itself: layers, sizes, generated files, the top level.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use parley::{config::catalogue, metrics::Metrics, planted};

use crate::support::{read, repository, reproduces};

/// The rooms of the gateway, from the ground up. A room uses only rooms below
/// its own line.
const FLOORS: &[&[&str]] = &[
    &["model", "planted", "version"],
    &["clock", "config", "problem", "shutdown"],
    &["budget", "merge", "metrics", "telemetry"],
    &["redis", "server", "store"],
    &["bus", "cache"],
    &["auth", "hub"],
    &["chat"],
    &["http", "startup"],
    &["ws"],
    &["app"],
    &["cli"],
    &["lib", "main"],
];

/// Arrows that point up on purpose.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("metrics", "hub", "the closed set of causes that a counter is labelled by")];

/// Crates that only some rooms may name.
const FENCED: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("fred", &["bus", "cache", "redis"]),
    ("axum", &["app", "http", "server", "ws"]),
    ("clap", &["cli", "main"]),
    ("figment", &["config"]),
    ("prometheus_client", &["metrics"]),
    ("argon2", &["auth"]),
    ("jsonwebtoken", &["auth"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
];

/// Operations that write what others must be told of: chat calls them and
/// tells. The command line relies on the feed.
const WRITES: &[&str] = &[
    "append",
    "advance_read",
    "change_conversation",
    "create_conversation",
    "delete_message",
    "edit_message",
    "set_display_name",
    "set_settings",
];

/// Each source file of the gateway: its room, its path, its code without
/// comments.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = repository().join("gateway/src");
    let source = |path: PathBuf| {
        let inside = path.strip_prefix(&root).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let room = room.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        (room, inside.to_owned(), code.collect::<Vec<_>>().join("\n"))
    };
    files(&root, &["rs"]).into_iter().map(source).collect()
}

/// Files below a folder with one of these endings, build output left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", "dist", "data", ".git"].contains(&name.as_str()) {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
            found.push(path);
        }
    }
    found
}

/// Where `word` stands in `code` as a whole word.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// The rooms that `code` uses: `crate::x`, also inside `use crate::{…}`.
fn used_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, marker) in code.match_indices("crate::") {
        // `$crate::x` in a macro counts; `other_crate::` does not.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + marker.len()..];
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    rooms.insert(word(&item));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        rooms.insert(word(&item));
    }
    rooms.remove("");
    rooms
}

#[test]
fn no_arrow_points_up() {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room));
    let mut upward = Vec::new();
    for (room, path, code) in sources() {
        let own = floor(&room).unwrap_or_else(|| panic!("the room {room} has no floor"));
        for used in used_rooms(&code) {
            let Some(theirs) = floor(&used) else { continue };
            let excepted = EXCEPTIONS.iter().any(|(from, to, _)| *from == room && *to == used);
            if used != room && theirs >= own && !excepted {
                upward.push(format!("{} uses crate::{used}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "arrows that point up:\n{}", upward.join("\n"));
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut strays = Vec::new();
    for (room, path, code) in sources() {
        for (name, rooms) in FENCED {
            // As a path or in a `use`; a word in a sentence is not meant.
            let named = names(&code, name) && code.contains(&format!("{name}::"));
            if named && !rooms.contains(&room.as_str()) {
                strays.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn only_chat_writes_what_others_are_told_of() {
    let mut strays = Vec::new();
    for (room, path, code) in sources() {
        if ["chat", "cli", "store"].contains(&room.as_str()) {
            continue;
        }
        let dense: String = code.split_whitespace().collect();
        for write in WRITES {
            for holder in ["store", "store()"] {
                if dense.contains(&format!("{holder}.{write}(")) {
                    strays.push(format!("{} calls store.{write}", path.display()));
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut long = Vec::new();
    for path in files(&repository(), &["rs", "ts", "tsx", "css", "js", "mjs"]) {
        let generated = path.components().any(|part| part.as_os_str() == "gen");
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > 500 && !generated {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "at most 500 lines:\n{}", long.join("\n"));
}

/// A test that sleeps is slow where it passes and wrong where it does not:
/// wait for the condition, with `eventually` and a named limit.
#[test]
fn no_test_sleeps() {
    let mut sleepers = Vec::new();
    for path in files(&repository().join("tests"), &["rs"]) {
        let code = fs::read_to_string(&path).unwrap();
        // `eventually` itself looks again after a pause.
        let ours = path.ends_with("repository.rs") || path.ends_with("support/mod.rs");
        if !ours && (names(&code, "sleep") && code.contains("sleep(")) {
            sleepers.push(path.display().to_string());
        }
    }
    assert!(sleepers.is_empty(), "{}", sleepers.join("\n"));
}

/// In both directions: a marker that no build has would prove nothing.
#[test]
fn only_a_planted_gateway_misbehaves() {
    let binary = fs::read(env!("CARGO_BIN_EXE_gateway")).unwrap();
    let marker = planted::MARKER.as_bytes();
    let marked = binary.windows(marker.len()).any(|bytes| bytes == marker);
    assert_eq!(marked, cfg!(feature = "planted"));
}

#[test]
fn the_top_level_has_no_surprises() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "gateway",
        "migrations",
        "deploy",
        "k8s",
        "web",
        "loadtest",
        "tests",
        "README.md",
        "LICENSE",
        "Makefile",
        "deny.toml",
        ".cargo",
        ".config",
        ".clippy.toml",
        ".rustfmt.toml",
        ".ci",
        ".env.example",
        ".gitignore",
        ".git",
        // Made by building and running; ignored by git.
        "target",
        "data",
        ".env",
    ];
    let mut surprises = Vec::new();
    for entry in fs::read_dir(repository()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !allowed.contains(&name.as_str()) {
            surprises.push(name);
        }
    }
    assert!(surprises.is_empty(), "give these a room: {surprises:?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        let path = repository().join("migrations").join(folder);
        let files = files(&path, &["sql"]).into_iter();
        files.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    let (postgres, sqlite) = (names("postgres"), names("sqlite"));
    assert!(!postgres.is_empty(), "there are migrations");
    assert_eq!(postgres, sqlite);
}

#[test]
fn the_settings_stand_the_same_everywhere() {
    reproduces(".env.example", &catalogue::env_example());

    let readme = read("README.md");
    let (begin, end) = ("<!-- settings -->\n", "<!-- /settings -->");
    let (before, rest) = readme.split_once(begin).expect("the README has its table");
    let (_, after) = rest.split_once(end).expect("the table has an end");
    let table = catalogue::readme_table();
    reproduces("README.md", &format!("{before}{begin}{table}{end}{after}"));
}

#[test]
fn the_metrics_stand_in_their_table() {
    let path = "deploy/observability/METRICS.md";
    let document = read(path);
    let (head, _) = document.split_once("| metric |").expect("the page has its table");
    reproduces(path, &format!("{head}{}", Metrics::new().table()));
}

#[test]
fn the_defaults_say_what_every_setting_is_for() {
    for setting in catalogue::settings() {
        assert!(setting.about.ends_with('.') || setting.about.contains('.'), "{}", setting.key);
        assert!(!setting.section.is_empty(), "{}", setting.key);
    }
}
