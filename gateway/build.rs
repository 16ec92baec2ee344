//! The web client is embedded: compile again when it was built again.

use std::path::Path;

fn main() {
    // A watched path that is missing means compiling anew every time, so
    // without a built client its folder is watched for one to appear.
    let watched = ["../web/dist", "../web", "build.rs"];
    let watched = watched.into_iter().find(|path| Path::new(path).exists());
    println!("cargo::rerun-if-changed={}", watched.unwrap_or("build.rs"));
}
