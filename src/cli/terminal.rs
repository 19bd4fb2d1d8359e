//! Asks for the password on the terminal.

use std::fs::File;
use std::io::{Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Puts the terminal back as it was, whatever happens meanwhile.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    /// No echo; and no signals by keys, or Ctrl-C would end the process with the echo still off.
    fn new(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to put back.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks for the password, without showing it.
///
/// # Errors
/// Why there is none.
pub fn ask_password() -> Result<String, String> {
    let asked = || -> std::io::Result<Option<Vec<u8>>> {
        let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let quiet = Quiet::new(&terminal)?;
        (&terminal).write_all(b"Password: ")?;
        let line = line_of(&mut std::iter::from_fn(|| next_byte(&terminal)));
        drop(quiet);
        terminal.write_all(b"\n")?;
        line
    };
    match asked() {
        Ok(Some(bytes)) => String::from_utf8(bytes)
            .map_err(|_| "--ask-pass: the password must be UTF-8 text".to_owned()),
        Ok(None) => Err("--ask-pass: no password was given".to_owned()),
        Err(error) => Err(format!(
            "--ask-pass: there is no terminal to ask on ({error}); use --conf or TABLESHIFT_PASSWORD"
        )),
    }
}

/// One byte at a time: whatever is typed after the password isn't ours.
fn next_byte(mut terminal: &File) -> Option<std::io::Result<u8>> {
    let mut byte = [0];
    match terminal.read(&mut byte) {
        Ok(0) => None,
        Ok(_) => Some(Ok(u8::from_ne_bytes(byte))),
        Err(error) => Some(Err(error)),
    }
}

/// What was typed up to Enter; none after Ctrl-C, or Ctrl-D and nothing else.
fn line_of(
    bytes: &mut impl Iterator<Item = std::io::Result<u8>>,
) -> std::io::Result<Option<Vec<u8>>> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    let mut line = Vec::new();
    for byte in bytes {
        match byte? {
            b'\r' | b'\n' => return Ok(Some(line)),
            CTRL_C => return Ok(None),
            CTRL_D if line.is_empty() => return Ok(None),
            CTRL_U => line.clear(),
            // Backspace takes a whole character, whose later bytes begin with the bits 10.
            8 | 127 => while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
            other => line.push(other),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_they_do_elsewhere() {
        let typed =
            |text: &str| line_of(&mut text.bytes().map(Ok)).expect("no trouble with the terminal");
        assert_eq!(typed("secret\n"), Some(b"secret".to_vec()));
        assert_eq!(typed("wrong\u{15}ri\u{7f}ight\r"), Some(b"right".to_vec()));
        assert_eq!(typed("aé\u{7f}b\n"), Some(b"ab".to_vec()));
        assert_eq!(typed("\n"), Some(vec![]));
        assert_eq!(typed("abc\u{3}"), None);
        assert_eq!(typed("\u{4}"), None);
        assert_eq!(typed("cut off"), None);
    }
}
