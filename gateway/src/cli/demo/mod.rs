//! `gateway demo`: a small team's conversations, to look around in.

mod story;
mod tell;

use clap::Args;

use super::{Failure, accounts, clock, database, say};
use crate::config::Config;
use story::Story;

const PASSWORD: &str = "parley-demo";
/// Who has something left to read.
const SUGGESTED: [&str; 2] = ["maya", "ben"];

#[derive(Debug, Args)]
pub struct Demo {
    /// Add it to a database that holds users already
    #[arg(long)]
    force: bool,
}

impl Demo {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let store = database(&config).await?;
        if !self.force {
            accounts::require_empty(&store).await?;
        }
        let now = clock().now();
        let story = Story::until(now).map_err(|why| Failure::runtime(why.to_string()))?;
        // One hash for all: the password is public anyway.
        let hash = accounts::hash(&config, PASSWORD).await?;
        let people = tell::introduce(&store, &story, &hash).await?;
        for scene in &story.scenes {
            tell::tell(&store, scene, &people).await?;
        }
        say(&introduction(&config, &story));
        store.close().await;
        Ok(())
    }
}

fn introduction(config: &Config, story: &Story) -> String {
    let mut text = String::from("The team is there:\n\n");
    for person in &story.people {
        let hint = match SUGGESTED.contains(&person.username) {
            true => "   <- has messages to read",
            false => "",
        };
        text += &format!("  {:<8} {}{hint}\n", person.username, person.display_name);
    }
    text += &format!("\nThe password of each is: {PASSWORD}\n");
    text += &format!("Start `gateway serve` and open http://{}\n", config.listen);
    text
}
