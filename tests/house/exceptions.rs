//! Files and functions that may be longer than the rule says, and imports that break the order inside a module, each with its reason, from `exceptions.toml`.
//! One that is not needed any more is a fault as well.

use serde::Deserialize;

use crate::rooms::Tolerated;
use crate::source::Function;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    path: String,
    /// None: the file as a whole.
    function: Option<String>,
    lines_max: usize,
    reason: String,
    #[serde(skip)]
    needed: bool,
}

/// All exceptions, and which of them were needed so far.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
    /// Imports that break the order inside a module.
    #[serde(default)]
    pub import: Vec<Tolerated>,
}

impl Exceptions {
    pub fn read(text: &str) -> Self {
        toml::from_str(text).unwrap()
    }

    /// How long a file may be.
    pub fn lines_of_file(&mut self, path: &str, lines: usize, rule: usize) -> usize {
        self.find(path, None, lines, rule)
    }

    /// How long a function may be.
    pub fn lines_of_function(&mut self, path: &str, function: &Function, rule: usize) -> usize {
        self.find(path, Some(&function.name), function.lines, rule)
    }

    fn find(&mut self, path: &str, function: Option<&str>, lines: usize, rule: usize) -> usize {
        let listed = self
            .exception
            .iter_mut()
            .find(|entry| entry.path == path && entry.function.as_deref() == function);
        match listed {
            Some(entry) => {
                entry.needed |= lines > rule;
                entry.lines_max
            }
            None => rule,
        }
    }

    /// Entries that nothing needs, and entries without a reason.
    pub fn faults(&self) -> Vec<String> {
        let faulty = self.exception.iter().filter(|entry| !entry.needed || entry.reason.len() < 10);
        faulty
            .map(|entry| {
                let what = if entry.needed { "has no reason" } else { "is not needed" };
                let function = entry.function.as_deref().unwrap_or("the whole file");
                format!("exception for {} ({function}) {what}", entry.path)
            })
            .collect()
    }
}
