//! The binary as a process: answers, sentences, exit codes.

use std::{net::TcpListener, os::unix::fs::PermissionsExt};

use tempfile::tempdir;

use crate::support::process::{finished, gateway, run, stderr, stdout};

#[tokio::test]
async fn help_names_variables_and_defaults() {
    let folder = tempdir().unwrap();
    let help = stdout(&run(folder.path(), &["--help"]).await);
    for text in ["PARLEY_LISTEN", "127.0.0.1:8080", "--drain-window", "Exit codes", "healthcheck"] {
        assert!(help.contains(text), "{text} is missing in\n{help}");
    }
    let short = stdout(&run(folder.path(), &["-h"]).await);
    assert!(!short.contains("PARLEY_LISTEN"), "the short help is short");
}

#[tokio::test]
async fn usage_and_configuration_errors_exit_with_2() {
    let folder = tempdir().unwrap();
    let flag = run(folder.path(), &["serve", "--lisen", "x"]).await;
    assert_eq!(flag.status.code(), Some(2));
    assert!(stderr(&flag).contains("--listen"));

    let mut command = gateway(folder.path());
    command.env("PARLEY_LISTN", "x");
    let unknown = finished(command).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("the nearest is PARLEY_LISTEN"));

    let url = "postgres://u:hunter2@127.0.0.1:1/x";
    let keyless = run(folder.path(), &["serve", "--database-url", url]).await;
    assert_eq!(keyless.status.code(), Some(2));
    assert!(stderr(&keyless).contains("gateway keys generate"));
    assert!(!stderr(&keyless).contains("hunter2") && !stdout(&keyless).contains("hunter2"));
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_setting() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(folder.path(), &["--listen", &address]).await;
    assert_eq!(output.status.code(), Some(1));
    let sentence = format!("Cannot listen on {address}: another program listens there");
    assert!(stderr(&output).contains(&sentence), "{}", stderr(&output));
    assert!(stderr(&output).contains("PARLEY_LISTEN"));
}

#[tokio::test]
async fn keys_are_made_listed_and_rotated() {
    let folder = tempdir().unwrap();
    let made = run(folder.path(), &["keys", "generate"]).await;
    assert!(made.status.success(), "{}", stderr(&made));
    let file = folder.path().join("data/keys.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let again = run(folder.path(), &["keys", "generate"]).await;
    assert_eq!(again.status.code(), Some(1), "an existing file is not replaced");
    assert!(run(folder.path(), &["keys", "rotate"]).await.status.success());
    let list = stdout(&run(folder.path(), &["keys", "list"]).await);
    assert_eq!(list.lines().count(), 2, "{list}");
    assert_eq!(list.lines().filter(|line| line.contains("signs")).count(), 1, "{list}");
}

#[tokio::test]
async fn a_healthcheck_without_a_replica_fails() {
    let folder = tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run(folder.path(), &["healthcheck", "--admin-listen", &free]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nothing answers"), "{}", stderr(&output));
}

#[tokio::test]
async fn the_documents_and_the_version_are_json() {
    let folder = tempdir().unwrap();
    for arguments in [&["openapi"][..], &["asyncapi"], &["version", "--json"]] {
        let output = run(folder.path(), arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    }
}
