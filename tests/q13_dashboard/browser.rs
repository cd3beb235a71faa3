//! A real Chromium, told what to do over its DevTools protocol.

use futures_util::{SinkExt, StreamExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use trellis_test_support::wait::{until, within};
use trellis_test_support::{Value, json};

/// A browser that runs; dropping it ends it.
pub(crate) struct Browser {
    process: Child,
    profile: TempDir,
}

/// One page of it.
pub(crate) struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    number: u64,
    /// What the page complained of: broken policies, errors of its script.
    complaints: Vec<String>,
}

impl Browser {
    /// Nothing, with a word on standard error, where there is no Chromium.
    pub(crate) fn start() -> Option<Browser> {
        let runs = |program: &&str| {
            let mut command = Command::new(program);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let status = command.arg("--version").status();
            status.is_ok_and(|it| it.success())
        };
        let known = ["chromium", "chromium-browser", "google-chrome"];
        let Some(program) = known.into_iter().find(runs) else {
            eprintln!("SKIPPED: browser: Chromium is not installed");
            return None;
        };
        let profile = TempDir::with_prefix("trellis-browser-").expect("a temporary directory");
        let process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a browser");
        Some(Browser { process, profile })
    }

    /// A new page.
    pub(crate) async fn page(&self) -> Page {
        let told: PathBuf = self.profile.path().join("DevToolsActivePort");
        let address = until("the browser's port", async || {
            let told = std::fs::read_to_string(&told).ok()?;
            let (port, path) = told.trim().split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{path}"))
        });
        let (socket, _) = connect_async(address.await).await.expect("the browser");
        let mut page = Page {
            socket,
            session: String::new(),
            number: 0,
            complaints: Vec::new(),
        };
        let made = page
            .tell("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attach = json!({"targetId": made["targetId"], "flatten": true});
        let attached = page.tell("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "DOM.enable"] {
            page.tell(domain, json!({})).await;
        }
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page {
    /// Opens an address and waits until it is there.
    pub(crate) async fn open(&mut self, url: &str) {
        self.tell("Page.navigate", json!({"url": url})).await;
        let page = Mutex::new(self);
        until("the whole page", async || {
            let (address, html) = page.lock().await.document().await;
            (address == url && html.contains("</footer>")).then_some(())
        })
        .await;
    }

    /// Everything that the page consists of now.
    pub(crate) async fn html(&mut self) -> String {
        self.document().await.1
    }

    /// The same, and its address.
    async fn document(&mut self) -> (String, String) {
        let document = self.tell("DOM.getDocument", json!({"depth": 0})).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let node = document["root"]["nodeId"].clone();
        let html = self.try_to_tell("DOM.getOuterHTML", json!({"nodeId": node}));
        // Nothing where another document has come in between.
        let html = html.await.unwrap_or_default();
        (
            text(&document["root"]["documentURL"]),
            text(&html["outerHTML"]),
        )
    }

    /// What a script in the page comes to.
    pub(crate) async fn value(&mut self, script: &str) -> Value {
        let wish = json!({"expression": script, "returnByValue": true});
        let done = self.tell("Runtime.evaluate", wish).await;
        assert!(done.get("exceptionDetails").is_none(), "{script}: {done}");
        done["result"]["value"].clone()
    }

    /// The text of all elements that a selector names.
    pub(crate) async fn text(&mut self, selector: &str) -> String {
        let script = format!(
            "[...document.querySelectorAll({})].map((it) => it.innerText).join(\"\\n\")",
            json!(selector)
        );
        self.value(&script).await.as_str().expect("text").to_owned()
    }

    /// Waits until elements say so.
    pub(crate) async fn until_says(&mut self, selector: &str, words: &str) {
        let what = format!("{selector} says {words:?}");
        let page = Mutex::new(self);
        until(&what, async || {
            let said = page.lock().await.text(selector).await;
            said.contains(words).then_some(())
        })
        .await;
    }

    /// How large the window is, and whether it is a phone's.
    pub(crate) async fn resize(&mut self, width: u32, height: u32, is_phone: bool) {
        let wish =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.tell("Emulation.setDeviceMetricsOverride", wish).await;
    }

    /// Which colours its user prefers: `light` or `dark`.
    pub(crate) async fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.tell("Emulation.setEmulatedMedia", json!({"features": [feature]}))
            .await;
    }

    /// Whether scripts run in pages.
    pub(crate) async fn run_scripts(&mut self, run: bool) {
        self.tell(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !run}),
        )
        .await;
    }

    /// What the window shows, as a PNG.
    pub(crate) async fn screenshot(&mut self, file: &Path) -> Vec<u8> {
        let shot = self
            .tell("Page.captureScreenshot", json!({"format": "png"}))
            .await;
        let data = shot["data"].as_str().expect("a picture");
        let bytes = decode(data);
        std::fs::write(file, &bytes).expect("a file for a picture");
        bytes
    }

    /// What the page complained of so far.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    async fn tell(&mut self, method: &str, parameters: Value) -> Value {
        let told = self.try_to_tell(method, parameters).await;
        told.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn try_to_tell(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.number += 1;
        let number = self.number;
        let mut message = json!({"id": number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let message = Message::text(message.to_string());
        self.socket
            .send(message)
            .await
            .expect("the browser listens");
        within(method, async {
            loop {
                let said = self.socket.next().await.expect("the browser is there");
                let Ok(Message::Text(said)) = said else {
                    continue;
                };
                let said: Value = serde_json::from_str(&said).expect("JSON");
                if said["id"] == number {
                    return match said.get("error") {
                        Some(error) => Err(error.clone()),
                        None => Ok(said["result"].clone()),
                    };
                }
                self.hear(&said);
            }
        })
        .await
    }

    fn hear(&mut self, said: &Value) {
        let complaint = match said["method"].as_str() {
            Some("Runtime.exceptionThrown") => &said["params"]["exceptionDetails"],
            Some("Log.entryAdded") => &said["params"]["entry"],
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }
}

/// The bytes of a text in base64.
fn decode(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let digits: Vec<u32> = digits
        .map(|byte| DIGITS.iter().position(|it| *it == byte).expect("base64") as u32)
        .collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
