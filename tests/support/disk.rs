//! A small disk in memory that can be filled to its last byte. Only root may
//! mount one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub struct SmallDisk {
    path: PathBuf,
    /// Closing its standard input tells the watchdog to clean up. The pipe also
    /// closes when this process is killed.
    watchdog: Child,
}

impl SmallDisk {
    /// `size` as mount has it, such as `64m`; or why there can be none.
    pub fn mount(size: &str) -> Result<Self, String> {
        const SCRIPT: &str = r#"trap '' HUP INT TERM
            cat > /dev/null
            umount --lazy "$1"
            rmdir "$1""#;
        let folder = tempfile::Builder::new().prefix("parley-disk-").tempdir();
        let path = folder.map_err(|why| why.to_string())?.keep();
        let options = format!("size={size},mode=755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path);
        let mounted = mount.output().map_err(|why| why.to_string())?;
        if !mounted.status.success() {
            let _ = fs::remove_dir(&path);
            let said = String::from_utf8_lossy(&mounted.stderr).trim().to_owned();
            return Err(format!("a small disk needs root: {said}"));
        }
        let watchdog = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| why.to_string())?;
        Ok(Self { path, watchdog })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        let full = io::copy(&mut io::repeat(0), &mut ballast).expect_err("it has an end");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
    }

    pub fn free(&self) {
        let _ = fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
