//! A flag for every setting, made from the same file as its default.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::catalogue;

/// `key` and value of each flag that was given.
#[derive(Clone, Debug, Default)]
pub struct Flags(pub Vec<(String, String)>);

impl Args for Flags {
    fn augment_args(mut command: Command) -> Command {
        for setting in catalogue::settings() {
            let default = match setting.plain_default() {
                "" => String::new(),
                value => format!(" [default: {value}]"),
            };
            let about = setting.about.trim_end_matches('.');
            let arg = Arg::new(setting.key)
                .long(setting.flag.as_str())
                .value_name("VALUE")
                .help(format!("{about} [env: {}]{default}", setting.variable()))
                .help_heading("Settings")
                .global(true)
                // `-h` shows the commands; `--help` the settings too.
                .hide_short_help(true);
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let given = |setting: &catalogue::Setting| {
            let value = matches.get_one::<String>(setting.key)?;
            Some((setting.key.to_owned(), value.clone()))
        };
        self.0 = catalogue::settings().iter().filter_map(given).collect();
        Ok(())
    }
}
