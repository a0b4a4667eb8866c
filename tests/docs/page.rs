//! A page of documentation: its fenced blocks, each with its language and the mark that stands above it.

use std::path::Path;

/// What a comment above a block says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// No comment: the language says what is done with the block.
    None,
    /// `<!-- file: NAME -->`: the block is this file of whoever follows the page.
    File(String),
    /// `<!-- output -->`: the block is what the one before it prints.
    Output,
    /// `<!-- not run: REASON -->`.
    NotRun(String),
}

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line of its opening fence, from 1.
    pub line: usize,
    /// The word after the opening fence.
    pub language: String,
    /// What the comment above it says.
    pub mark: Mark,
    /// Its lines, each with its end.
    pub text: String,
}

/// A Markdown file of the repository.
pub struct Page {
    /// Its path from the repository's root.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Its fenced blocks, in order.
    pub blocks: Vec<Block>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    ///
    /// When there is no such file.
    pub fn read(path: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { path: path.to_owned(), blocks: blocks(&text), text }
    }
}

/// The fenced blocks of a text. A comment counts for the block below it, with nothing but empty lines between.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut mark = Mark::None;
    let mut open = false;
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(language) = content.strip_prefix("```") {
            if !open {
                let mark = std::mem::replace(&mut mark, Mark::None);
                found.push(Block {
                    line,
                    language: language.to_owned(),
                    mark,
                    text: String::new(),
                });
            }
            open = !open;
        } else if open {
            if let Some(block) = found.last_mut() {
                block.text.push_str(content);
                block.text.push('\n');
            }
        } else if !content.trim().is_empty() {
            mark = mark_of(content);
        }
    }
    assert!(!open, "a block is not closed");
    found
}

fn mark_of(line: &str) -> Mark {
    let comment = line.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    let Some(comment) = comment.map(str::trim) else { return Mark::None };
    match comment.split_once(':').map(|(word, rest)| (word, rest.trim().to_owned())) {
        Some(("file", name)) => Mark::File(name),
        Some(("not run", reason)) if !reason.is_empty() => Mark::NotRun(reason),
        _ if comment == "output" => Mark::Output,
        _ => Mark::None,
    }
}

#[test]
fn a_comment_marks_the_block_below_it() {
    let text = "<!-- file: a.json -->\n\n```json\n{}\n```\nIt prints\n<!-- output -->\n```text\nx\n```\n\
                <!-- not run: it would hurt -->\n```sh\nrm\n```\n<!-- output -->\nwords\n```sh\ntrue\n```\n";
    let marks: Vec<Mark> = blocks(text).into_iter().map(|block| block.mark).collect();
    let not_run = Mark::NotRun("it would hurt".to_owned());
    assert_eq!(marks, [Mark::File("a.json".to_owned()), Mark::Output, not_run, Mark::None]);
}
