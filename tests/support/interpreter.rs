//! The interpreters and packages that clients in other languages need, installed once under `target/clients`. What is
//! missing makes a test skip itself with a line on standard error, or fail where the variable `CI` is set.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::process::try_run;

const INSTALL_LIMIT: Duration = Duration::from_secs(600);
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// What a program in another language runs with.
#[derive(Clone)]
pub struct Interpreter {
    executable: PathBuf,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Interpreter {
    /// Python with the packages of `tests/clients/requirements.txt`; `None` when the test is to be skipped.
    pub fn python() -> Option<Self> {
        static FOUND: OnceLock<Result<Interpreter, String>> = OnceLock::new();
        needed(FOUND.get_or_init(install_python).clone())
    }

    /// Node with the packages of `tests/clients/package-lock.json`; `None` when the test is to be skipped.
    pub fn node() -> Option<Self> {
        static FOUND: OnceLock<Result<Interpreter, String>> = OnceLock::new();
        needed(FOUND.get_or_init(install_node).clone())
    }

    /// A command that runs a program of `tests/clients`.
    pub fn program(&self, file: &str) -> Command {
        let mut command = self.command();
        command.arg(clients_sources().join(file));
        command
    }

    /// A command that runs the interpreter itself.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }
}

/// Whether an executable is on the path. When it is not, the test is to be skipped, or has failed where `CI` is set.
pub fn has_executable(name: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).exists()));
    needed(found.then_some(()).ok_or_else(|| format!("{name} is not installed"))).is_some()
}

/// The folder with the client programs' sources.
pub fn clients_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn needed<T>(found: Result<T, String>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(reason) if std::env::var_os("CI").is_some() => panic!("needed in CI: {reason}"),
        Err(reason) => {
            say_skipped(&format!("a client test: {reason}"));
            None
        }
    }
}

/// Says that a test is skipped, past the capture of the test runner, which would hide the line of one that passes.
pub fn say_skipped(what: &str) {
    let _ = io::stderr().write_all(format!("SKIPPED {what}\n").as_bytes());
}

fn install_python() -> Result<Interpreter, String> {
    look("python3", &["--version"])?;
    let home = installed("python", &["requirements.txt"], |home| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear", "venv"]).current_dir(home);
        try_run(venv, INSTALL_LIMIT)?;
        let mut pip = Command::new(home.join("venv/bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        pip.arg(home.join("requirements.txt"));
        try_run(pip, INSTALL_LIMIT)
    })?;
    let variables = vec![("PYTHONDONTWRITEBYTECODE", PathBuf::from("1"))];
    Ok(Interpreter { executable: home.join("venv/bin/python"), variables })
}

fn install_node() -> Result<Interpreter, String> {
    look("node", &["--version"])?;
    look("npm", &["--version"])?;
    let home = installed("node", &["package.json", "package-lock.json"], |home| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(home);
        try_run(npm, INSTALL_LIMIT)
    })?;
    let variables = vec![("NODE_PATH", home.join("node_modules"))];
    Ok(Interpreter { executable: PathBuf::from("node"), variables })
}

/// Runs `install` in `target/clients/NAME`, with copies of `files` beside it, unless that was done before with the
/// same files. Test programs that run at once wait for each other.
fn installed(
    name: &str,
    files: &[&str],
    install: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<PathBuf, String> {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("target/tmp has no parent")?;
    let home = target.join("clients").join(name);
    let marker = home.join("installed");
    let wanted = files.iter().map(|file| clients_sources().join(file));
    let wanted: String =
        wanted.map(|file| fs::read_to_string(file).map_err(told)).collect::<Result<_, _>>()?;

    fs::create_dir_all(&home).map_err(told)?;
    let lock = File::create(home.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    if fs::read_to_string(&marker).is_ok_and(|there| there == wanted) {
        return Ok(home);
    }
    for file in files {
        fs::copy(clients_sources().join(file), home.join(file)).map_err(told)?;
    }
    install(&home)?;
    fs::write(&marker, wanted).map_err(told)?;
    Ok(home)
}

fn look(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments);
    try_run(command, LOOK_LIMIT)
}

fn told(error: io::Error) -> String {
    error.to_string()
}
