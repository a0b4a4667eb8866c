//! A person at a terminal: a program on a pseudo-terminal of a given size, what its screen shows, what is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// No program takes longer for a step.
const LIMIT: Duration = Duration::from_secs(60);
/// What a person types to interrupt.
pub const CTRL_C: &str = "\u{3}";

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The other end, as the program has it: kept so that the terminal outlives the program.
    device: Option<File>,
    reader: Option<JoinHandle<()>>,
    screen: Arc<(Mutex<Screen>, Condvar)>,
}

struct Screen {
    parser: vt100::Parser,
    /// Everything that the program wrote.
    raw: Vec<u8>,
}

impl Terminal {
    /// Starts a program on a terminal of so many rows and columns.
    ///
    /// # Panics
    ///
    /// When there is no pseudo-terminal, or no `setsid` to give the program one.
    pub fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let device = File::options().read(true).write(true).open(name).unwrap();
        set_size(&device, rows, columns);
        // `setsid --ctty` makes the terminal the one that Ctrl-C on it interrupts.
        let mut wrapped = Command::new("setsid");
        wrapped.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        let end = || device.try_clone().unwrap();
        let child = wrapped.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid");
        let parser = vt100::Parser::new(size(rows), size(columns), 0);
        let screen = Screen { parser, raw: Vec::new() };
        let screen = Arc::new((Mutex::new(screen), Condvar::new()));
        let keyboard = File::from(keyboard);
        let reader = Some(drain(keyboard.try_clone().unwrap(), Arc::clone(&screen)));
        Self { child, keyboard, device: Some(device), reader, screen }
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.screen.0.lock().unwrap().parser.screen_mut().set_size(size(rows), size(columns));
        // The kernel tells the program.
        set_size(self.device(), rows, columns);
    }

    /// Waits until the screen shows what is wanted, and returns it.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn shows(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.wait(|screen| {
            let text = screen.parser.screen().contents();
            wanted(&text).then_some(text)
        })
    }

    /// Waits until the program has ended, and says how.
    pub fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.raw());
            // A child's end is no event that a thread could wait for with a limit.
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything that was written so far, control sequences and all.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.screen.0.lock().unwrap().raw).into_owned()
    }

    /// All that was written by a program that has ended; the terminal is of no more use then.
    pub fn settled(&mut self) -> String {
        // With its last user the device ends, and so does the thread that reads from it.
        self.device = None;
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.raw()
    }

    /// Whether the cursor can be seen.
    pub fn shows_cursor(&self) -> bool {
        !self.screen.0.lock().unwrap().parser.screen().hide_cursor()
    }

    /// Waits until what is typed is not shown.
    pub fn hides_typing(&self) {
        self.echoes(|echoes| !echoes);
    }

    /// Waits until what is typed is shown.
    pub fn shows_typing(&self) {
        self.echoes(|echoes| echoes);
    }

    fn echoes(&self, wanted: fn(bool) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let echoes = || tcgetattr(self.device()).unwrap().local_modes.contains(LocalModes::ECHO);
        while !wanted(echoes()) {
            assert!(Instant::now() < deadline, "what is typed is shown: {}", echoes());
            // The terminal's settings change without an event.
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn device(&self) -> &File {
        self.device.as_ref().expect("the terminal is not settled yet")
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    fn wait<T>(&self, look: impl Fn(&Screen) -> Option<T>) -> T {
        let (lock, changed) = &*self.screen;
        let deadline = Instant::now() + LIMIT;
        let mut screen = lock.lock().unwrap();
        loop {
            if let Some(found) = look(&screen) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the screen shows\n{}", screen.parser.screen().contents());
            screen = changed.wait_timeout(screen, left).unwrap().0;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has a size")
}

fn set_size(device: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(device, size).unwrap();
}

fn drain(mut from: File, into: Arc<(Mutex<Screen>, Condvar)>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let mut screen = into.0.lock().unwrap();
            screen.parser.process(&bytes[..read]);
            screen.raw.extend(&bytes[..read]);
            into.1.notify_all();
        }
    })
}
