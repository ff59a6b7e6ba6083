//! Which configuration holds, and who is asking. Read once, at the start.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use ichor_core::{Config, Layout, Places};

use crate::error::Error;

/// What every command needs.
pub(crate) struct Settings {
    /// The file that was read; none: the defaults hold.
    pub(crate) file: Option<PathBuf>,
    /// What it says.
    pub(crate) config: Config,
    /// Where the data lies.
    pub(crate) layout: Layout,
    user: Option<String>,
}

impl Settings {
    /// Reads the file named by `--config` or `$ICHOR_CONFIG`, which must be there, else the
    /// first that is there of those that are looked for.
    pub(crate) fn read(config: Option<PathBuf>, user: Option<String>) -> Result<Self, Error> {
        let env = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
        let named = config.is_some() || env("ICHOR_CONFIG").is_some();
        let candidates = Places::config_files(config.as_deref(), &env);
        let file = candidates.into_iter().find(|path| named || path.exists());
        let text = match &file {
            Some(path) => fs::read_to_string(path)
                .map_err(|source| Error::Read { path: path.clone(), source })?,
            None => String::new(),
        };
        let config = Config::parse(&text).map_err(|source| Error::Config {
            path: file.clone().unwrap_or_else(|| PathBuf::from("the defaults")),
            source,
        })?;
        let layout = Layout::new(&config.data_dir);
        Ok(Self { file, config, layout, user })
    }

    /// Who decides: `--user`, else `$USER`, else the login of the process's owner.
    pub(crate) fn user(&self) -> String {
        let named = self.user.clone().or_else(|| std::env::var("USER").ok());
        named
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(owner)
    }
}

/// The login that the system knows this process by; its number where it has no name.
fn owner() -> String {
    let uid = fs::metadata("/proc/self").map_or(0, |process| process.uid()).to_string();
    let logins = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let login = logins.lines().find_map(|line| {
        let mut fields = line.split(':');
        let login = fields.next()?;
        (fields.nth(1)? == uid).then(|| login.to_owned())
    });
    login.unwrap_or_else(|| format!("uid {uid}"))
}
