//! `gateway keys`: the file that tokens are signed with.

use clap::Subcommand;

use super::{Failure, clock, say};
use crate::{
    auth::key_file::{self, KeyFileError},
    config::Config,
    startup,
};

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key file, for its owner only to read; refuses to replace one
    Generate,
    /// Show the keys, not their secrets
    List,
    /// Add a key and drop those nothing needs; nobody is logged out
    Rotate,
}

impl KeysCommand {
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let (path, now) = (&config.keys_file, clock().now());
        match self {
            Self::Generate => {
                if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
                    startup::private_folder(folder)?;
                }
                let kid = key_file::generate(path, now)?;
                say(&format!("Made {} with the key {kid}.", path.display()));
            }
            Self::List => {
                for key in key_file::list(path, now)? {
                    let signs = if key.signs { "signs" } else { "verifies" };
                    let (kid, from) = (key.kid, key.active_from);
                    say(&format!("{kid:<20} {signs:<9} made {}, in force {from}", key.created_at));
                }
            }
            Self::Rotate => {
                let kid = key_file::rotate(path, now)?;
                let lead = key_file::ROTATION_LEAD.as_secs();
                say(&format!(
                    "Added the key {kid}; it signs in {lead} s, once every replica has it."
                ));
            }
        }
        Ok(())
    }
}

impl From<KeyFileError> for Failure {
    fn from(why: KeyFileError) -> Self {
        let sentence = why.to_string();
        // "the keys file …": a sentence begins with a capital.
        Self::runtime(sentence.replacen("the", "The", 1) + ".")
    }
}
