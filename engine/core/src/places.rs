//! Where things are: paths as values. Nothing here touches a disk.

use std::path::{Path, PathBuf};

/// Candidates in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    roots: Vec<PathBuf>,
}

impl Places {
    /// `exe` is the running program's path. Its folder, the `share/ichor` of an installation
    /// beside it, and the checkout whose target folder it was built in are looked through.
    pub fn beside(exe: &Path) -> Self {
        let folder = exe.parent().unwrap_or(Path::new("."));
        let mut roots = vec![folder.to_owned()];
        roots.extend(folder.parent().map(|prefix| prefix.join("share").join("ichor")));
        // target/PROFILE/ichor, and target/PROFILE/deps/it-… for tests.
        roots.extend(folder.ancestors().skip(2).take(2).map(Path::to_owned));
        Self { roots }
    }

    /// Folders that may hold the networks' weights, the configured one first.
    pub fn weights(&self, configured: Option<&Path>) -> Vec<PathBuf> {
        self.candidates(configured.into_iter(), "weights")
    }

    /// Folders that may hold installed plugins, the configured ones first.
    pub fn plugins(&self, configured: &[PathBuf]) -> Vec<PathBuf> {
        self.candidates(configured.iter().map(PathBuf::as_path), "plugins")
    }

    /// Folders that may hold the configuration file, in order: the user's, then the system's.
    pub fn config_files(
        flag: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<PathBuf> {
        if let Some(flag) = flag {
            return vec![flag.to_owned()];
        }
        if let Some(path) = env("ICHOR_CONFIG") {
            return vec![PathBuf::from(path)];
        }
        let user = env("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| env("HOME").map(|home| Path::new(&home).join(".config")));
        user.into_iter()
            .map(|folder| folder.join("ichor").join("ichor.toml"))
            .chain([PathBuf::from("/etc/ichor/ichor.toml")])
            .collect()
    }

    fn candidates<'a>(
        &self,
        configured: impl Iterator<Item = &'a Path>,
        name: &str,
    ) -> Vec<PathBuf> {
        configured.map(Path::to_owned).chain(self.roots.iter().map(|r| r.join(name))).collect()
    }
}

/// What lies where under a site's `data_dir`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// `data_dir` of the configuration.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { root: data_dir.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite file that engine and consoles share.
    pub fn database(&self) -> PathBuf {
        self.root.join("ichor.sqlite3")
    }

    /// Objects that are durable but not yet in the database: the one way in, for the network,
    /// the inbox and `ichor import` alike.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Received objects, `STUDY/SERIES/SOP.dcm` by UID.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Bytes that could not be parsed, each with a `.txt` that says why.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Pictures and masks for the console, `STUDY/REVISION/` by UID.
    pub fn artefacts(&self, study_uid: &str, revision: u32) -> PathBuf {
        self.root.join("artefacts").join(study_uid).join(revision.to_string())
    }

    /// Plugins installed for this site.
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The site's own threshold profiles.
    pub fn profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// Held while an engine runs; a second engine on the same folder is refused.
    pub fn engine_lock(&self) -> PathBuf {
        self.root.join("engine.lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_found_beside_the_executable_and_in_a_checkout() {
        let places = Places::beside(Path::new("/src/ichor/target/release/ichor"));
        let found = places.weights(Some(Path::new("/srv/w")));
        let check = |path: &str| assert!(found.contains(&PathBuf::from(path)), "{found:?}");
        assert_eq!(found[0], Path::new("/srv/w"));
        check("/src/ichor/target/release/weights");
        check("/src/ichor/target/share/ichor/weights");
        check("/src/ichor/weights");
    }

    #[test]
    fn the_flag_outweighs_the_environment_and_that_the_folders() {
        let env = |key: &str| match key {
            "ICHOR_CONFIG" => Some("/env.toml".to_owned()),
            "HOME" => Some("/home/ana".to_owned()),
            _ => None,
        };
        let flag = Places::config_files(Some(Path::new("/flag.toml")), &env);
        assert_eq!(flag, [Path::new("/flag.toml")]);
        assert_eq!(Places::config_files(None, &env), [Path::new("/env.toml")]);
        let home = |key: &str| (key == "HOME").then(|| "/home/ana".to_owned());
        assert_eq!(
            Places::config_files(None, &home),
            [
                Path::new("/home/ana/.config/ichor/ichor.toml"),
                Path::new("/etc/ichor/ichor.toml")
            ]
        );
    }
}
