//! A real browser with `examples/browser-call` in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Chromium, and the page.
pub(crate) struct Browser {
    program: &'static str,
    page: PathBuf,
}

/// A browser that runs; dropping it ends it.
pub(crate) struct Open {
    process: Child,
    _profile: TempDir,
}

impl Browser {
    /// Nothing, with a word on standard error, where there is no browser or the page is not built.
    pub(crate) fn find() -> Option<Browser> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/browser-call");
        if !folder.join("dist/page.js").exists() {
            eprintln!("SKIPPED: browser: run `npm ci && npm run build` in examples/browser-call");
            return None;
        }
        let runs = |program: &&str| {
            let mut command = Command::new(program);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
                .arg("--version")
                .status()
                .is_ok_and(|it| it.success())
        };
        let Some(program) = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(runs)
        else {
            eprintln!("SKIPPED: browser: Chromium is not installed");
            return None;
        };
        let page = folder.join("index.html");
        Some(Browser { program, page })
    }

    /// Opens the page with this after the `#` of its address.
    pub(crate) fn open(&self, asked: &str) -> Open {
        let profile = TempDir::with_prefix("trellis-browser-").expect("a temporary directory");
        let mut command = Command::new(self.program);
        command
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                "--allow-loopback-in-peer-connection",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}#{asked}", self.page.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Open {
            process: command.spawn().expect("a browser"),
            _profile: profile,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
