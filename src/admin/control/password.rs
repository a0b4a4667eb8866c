//! Passwords as they come in: a line of standard input, or typed at a terminal that does not show it.

use std::io::{BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::admin::failure::Failure;

/// Bytes of a password: more than anyone types.
const PASSWORD_BYTES_MAX: usize = 4096;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;

/// The first line of standard input that was not read yet; typed, if that is a terminal.
///
/// # Errors
///
/// When there is none.
pub(super) fn from_standard_input() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return typed("Password: ");
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| format!("cannot read a password from standard input: {error}"))?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err("standard input has no password: give it as one line".into());
    }
    Ok(password.to_owned())
}

/// The password of a user who was named without one.
///
/// # Errors
///
/// When there is nobody to ask.
pub(super) fn of_user(user: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "the password of user '{user}' is missing: set LEVERET_ADMIN_PASSWORD, or give it on standard input with \
             --password -"
        )
        .into());
    }
    typed(&format!("Password of {user}: "))
}

/// A new password: typed twice, or a line of standard input.
///
/// # Errors
///
/// When there is none, or the two differ.
pub(super) fn new_one(user: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return from_standard_input();
    }
    let password = typed(&format!("New password of {user}: "))?;
    if password.is_empty() {
        return Err("an empty password is refused, because nobody could log in with it".into());
    }
    if typed("The same again: ")? == password {
        Ok(password)
    } else {
        Err("the two differ; nothing was changed".into())
    }
}

/// A line that is typed and not shown.
fn typed(prompt: &str) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::Failed(format!("cannot ask for a password: {error}"));
    let mut errors = std::io::stderr();
    write!(errors, "{prompt}").and_then(|()| errors.flush()).map_err(failed)?;
    let silence = Silence::new().map_err(failed)?;
    let line = read_line();
    drop(silence);
    writeln!(errors).map_err(failed)?;
    line
}

fn read_line() -> Result<String, Failure> {
    let mut typed = Vec::new();
    let mut byte = [0];
    while typed.len() < PASSWORD_BYTES_MAX {
        let input = std::io::stdin();
        match rustix::io::read(&input, &mut byte) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(format!("cannot read a password: {error}").into()),
            Ok(0) => break,
            Ok(_) => {}
        }
        match byte[0] {
            b'\n' | b'\r' | CTRL_D => break,
            CTRL_C => return Err("no password was given; nothing was done".into()),
            BACKSPACE | DELETE => {
                // A letter may have several bytes; those behind its first begin with the bits 10.
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            other => typed.push(other),
        }
    }
    String::from_utf8(typed).map_err(|_| "the password is not UTF-8".into())
}

/// A terminal that shows nothing of what is typed and gives every key as it is, Ctrl-C included, so that it can be
/// put back as it was whatever is typed.
struct Silence(Termios);

impl Silence {
    fn new() -> std::io::Result<Self> {
        let input = std::io::stdin();
        let before = tcgetattr(&input)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&input, OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
