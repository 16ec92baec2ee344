//! `gateway user`: accounts, by hand. Replicas that run notice within seconds.

use std::io::Read;

use clap::{Args, Subcommand};

use super::{Failure, accounts, clock, database, say};
use crate::{auth::admin, config::Config, model::*, store::Store};

const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List everybody
    List,
    /// Make an account, also where registration is closed
    Create(Create),
    /// Sign somebody out everywhere and keep them out
    Disable { username: String },
    /// Let somebody in again
    Enable { username: String },
    /// Give somebody a new password and sign them out everywhere
    ResetPassword(ResetPassword),
    /// Free the name and forget the person; what they said stays
    Delete {
        username: String,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    username: String,
    /// What others see [default: the username]
    #[arg(long)]
    display_name: Option<String>,
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct ResetPassword {
    username: String,
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl UserCommand {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let store = database(&config).await?;
        let clock = clock();
        match self {
            Self::List => list(&store).await?,
            Self::Create(create) => create.run(&config, &store).await?,
            Self::Disable { username } => {
                let user = admin::set_disabled(&store, &clock, &username, true).await?;
                say(&format!("{} is disabled.", user.username));
            }
            Self::Enable { username } => {
                let user = admin::set_disabled(&store, &clock, &username, false).await?;
                say(&format!("{} may sign in again.", user.username));
            }
            Self::ResetPassword(reset) => reset.run(&config, &store).await?,
            Self::Delete { username, yes } => {
                if !yes {
                    return Err(Failure::usage(format!(
                        "Deleting {username} cannot be undone; repeat it with --yes."
                    )));
                }
                let user = admin::delete(&store, &clock, &username).await?;
                say(&format!("{} is deleted.", user.username));
            }
        }
        store.close().await;
        Ok(())
    }
}

async fn list(store: &Store) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let page = store.list_users(after.as_deref(), PAGE).await?;
        for (user, disabled) in &page {
            let state = if *disabled { "  disabled" } else { "" };
            let (username, name, since) = (&user.username, &user.display_name, user.created_at);
            say(&format!("{username:<32}  {name:<32}  {since}{state}"));
        }
        match page.last() {
            Some((user, _)) if page.len() as i64 == PAGE => after = Some(user.username.clone()),
            _ => return Ok(()),
        }
    }
}

impl Create {
    async fn run(self, config: &Config, store: &Store) -> Result<(), Failure> {
        let username = text::username(&self.username).map_err(invalid)?;
        let display_name = match &self.display_name {
            Some(name) => text::display_name(name).map_err(invalid)?,
            None => username.clone(),
        };
        let password = Password::choose(self.password_stdin)?;
        let new = accounts::NewAccount {
            username: username.clone(),
            display_name,
            password_hash: accounts::hash(config, &password.text).await?,
            created_at: clock().now(),
        };
        accounts::create(store, new).await?;
        say(&format!("{username} is there{}.", password.told()));
        Ok(())
    }
}

impl ResetPassword {
    async fn run(self, config: &Config, store: &Store) -> Result<(), Failure> {
        let password = Password::choose(self.password_stdin)?;
        let passwords = accounts::passwords(config)?;
        let secret = Secret::new(password.text.clone());
        let user =
            admin::reset_password(store, &clock(), &passwords, &self.username, &secret).await?;
        say(&format!("{} has a new password{}.", user.username, password.told()));
        Ok(())
    }
}

struct Password {
    text: String,
    made_here: bool,
}

impl Password {
    fn choose(from_stdin: bool) -> Result<Self, Failure> {
        if !from_stdin {
            return Ok(Self { text: accounts::new_password()?, made_here: true });
        }
        let mut given = String::new();
        // Far more than a password may have; not an endless pipe.
        std::io::stdin()
            .take(4_096)
            .read_to_string(&mut given)
            .map_err(|why| Failure::usage(format!("No password on standard input: {why}.")))?;
        let given = text::password(given.trim_end_matches(['\r', '\n'])).map_err(invalid)?;
        Ok(Self { text: given, made_here: false })
    }

    fn told(&self) -> String {
        match self.made_here {
            true => format!("; the password is {}", self.text),
            false => String::new(),
        }
    }
}

fn invalid(field: InvalidField) -> Failure {
    Failure::usage(format!("{field}."))
}
