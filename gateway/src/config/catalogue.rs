//! Every setting by name, read from the commented `config.default.toml` that
//! is compiled in: the one source of the defaults, `.env.example`, the README's
//! table and `--help`.

use std::sync::LazyLock;

/// The file itself.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Settings whose value is or may hold a secret: never printed, and readable
/// from a file named by the same setting with `_file` behind it.
pub const SECRETS: &[&str] = &["database_url", "redis_url"];

/// One setting as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: &'static str,
    /// `admin-listen` for `admin_listen`.
    pub flag: String,
    /// The heading it stands under.
    pub section: &'static str,
    /// The comment above it, on one line.
    pub about: String,
    /// As written in TOML: `"30s"`, `20000`, `[]`.
    pub default: &'static str,
}

impl Setting {
    /// `PARLEY_LISTEN` for `listen`.
    pub fn variable(&self) -> String {
        variable(self.key)
    }

    pub fn secret(&self) -> bool {
        SECRETS.contains(&self.key)
    }

    /// The default as one would write it in the environment.
    pub fn plain_default(&self) -> &'static str {
        match self.default {
            "[]" => "",
            value => value.trim_matches('"'),
        }
    }
}

/// The environment variable of a setting.
pub fn variable(key: &str) -> String {
    format!("PARLEY_{}", key.to_uppercase())
}

/// All settings, in the order of the file.
pub fn settings() -> &'static [Setting] {
    static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| parse(DEFAULTS));
    &SETTINGS
}

fn parse(text: &'static str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut section = "";
    let mut about = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("# ---- ") {
            section = heading;
        } else if let Some(comment) = line.strip_prefix("# ") {
            about.push(comment);
        } else if let Some((key, default)) = line.split_once(" = ") {
            let (flag, about_it) = (key.replace('_', "-"), about.join(" "));
            settings.push(Setting { key, flag, section, about: about_it, default });
            about.clear();
        } else {
            // A blank line ends the file's introduction.
            about.clear();
        }
    }
    settings
}

/// The text of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Copy to .env and change what you need; every line shows the default.\n\
         # Made from gateway/config.default.toml by `gateway config example`.\n",
    );
    let mut section = "";
    for setting in settings() {
        if section != setting.section {
            section = setting.section;
            text += &format!("\n# ---- {section}\n");
        }
        let (variable, default) = (setting.variable(), setting.plain_default());
        text += &format!("\n# {}\n# {variable}={default}\n", setting.about);
    }
    text
}

/// The table of README.md, in Markdown.
pub fn readme_table() -> String {
    let mut table = String::from("| variable | default | |\n|---|---|---|\n");
    for setting in settings() {
        let default = match setting.plain_default() {
            "" => String::new(),
            value => format!("`{value}`"),
        };
        table += &format!("| `{}` | {default} | {} |\n", setting.variable(), setting.about);
    }
    table
}
