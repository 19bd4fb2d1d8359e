//! A program on a pseudo-terminal, as an operator has it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::running::PATIENCE;
use super::wait_until;

/// A pseudo-terminal with a program on it.
pub struct Terminal {
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
    pub child: Child,
}

impl Terminal {
    /// Runs it in a session of its own, of which the terminal is the controlling one.
    pub fn run(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("its rights");
        unlockpt(&master).expect("its lock");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let path = name.to_str().expect("a plain name");
        let side = || {
            File::options()
                .read(true)
                .write(true)
                .open(path)
                .expect("its other side")
        };
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("setsid; scripts/setup installs it");
        let keys = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut screen, seen) = (keys.try_clone().expect("a copy"), Arc::clone(&shown));
        // Ends with an error when the program is gone.
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = bytes.get(..count).unwrap_or_default();
                seen.lock().expect("the screen").extend_from_slice(text);
            }
        });
        Self { keys, shown, child }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("the screen")).into_owned()
    }

    pub async fn shows(&self, words: &str) {
        wait_until(PATIENCE, words, async || self.text().contains(words)).await;
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the keys");
    }

    /// Its exit code, and all that it has shown.
    pub async fn end(mut self) -> (Option<i32>, String) {
        let mut code = None;
        wait_until(PATIENCE, "the program has ended", async || {
            code = self.child.try_wait().expect("its state");
            code.is_some()
        })
        .await;
        (code.and_then(|code| code.code()), self.text())
    }
}
