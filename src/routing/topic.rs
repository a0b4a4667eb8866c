//! A topic exchange's binding keys as a trie of words. A routing key is walked through it once, all matching
//! branches side by side: however many ways lead to a node, it is looked at once per word. So the work is bounded by
//! words times nodes that match so far, whatever the wildcards, and it is counted.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::key_hash::KeyHash;
use super::search::Search;
use super::words::words;
use super::{Destination, Destinations};

/// A node's place in the trie. Memory ends long before four thousand million nodes do.
type NodeId = u32;

/// A word's number, while any binding key contains it.
type WordId = u32;

const ROOT: NodeId = 0;

/// A walk that has needed more room than this gives it back.
const KEPT_STATES_MAX: usize = 4096;

/// The binding keys of one exchange, with the destinations bound by each.
pub struct Trie<D> {
    nodes: Vec<Node<D>>,
    free: Vec<NodeId>,
    /// All edges that are labelled with a word, of all nodes: one look-up however many children a node has.
    edges: FxHashMap<(NodeId, WordId), NodeId>,
    words: Words,
}

struct Node<D> {
    parent: NodeId,
    /// How one comes here from the parent.
    step: Step,
    word_children: u32,
    one_word: Option<NodeId>,
    any_words: Option<NodeId>,
    destinations: Destinations<D>,
}

#[derive(Clone, Copy)]
enum Step {
    Word(WordId),
    /// `*`
    OneWord,
    /// `#`
    AnyWords,
}

impl<D: Destination> Node<D> {
    fn new(parent: NodeId, step: Step) -> Self {
        let destinations = Destinations::new();
        Node { parent, step, word_children: 0, one_word: None, any_words: None, destinations }
    }

    fn is_bare(&self) -> bool {
        self.destinations.is_empty()
            && self.word_children == 0
            && self.one_word.is_none()
            && self.any_words.is_none()
    }
}

impl<D: Destination> Trie<D> {
    pub fn new(hash: KeyHash) -> Self {
        Trie {
            // Nobody steps to the root, so its step is never read.
            nodes: vec![Node::new(ROOT, Step::AnyWords)],
            free: Vec::new(),
            edges: FxHashMap::default(),
            words: Words::new(hash),
        }
    }

    /// Adds `destination` under the binding key `key`.
    pub fn insert(&mut self, key: &str, destination: &D) {
        let mut node = ROOT;
        for word in words(key) {
            node = match self.child(node, word) {
                Some(child) => child,
                None => self.grow(node, word),
            };
        }
        self.nodes[node as usize].destinations.push(destination);
    }

    /// Removes the destination from under `key`, and every node that stood there for it alone.
    pub fn remove(&mut self, key: &str, id: u64) {
        let mut node = ROOT;
        for word in words(key) {
            let Some(child) = self.child(node, word) else { return };
            node = child;
        }
        self.nodes[node as usize].destinations.remove(id);
        self.prune(node);
    }

    /// Adds every destination whose binding key matches the routing key.
    pub fn route(&self, key: &str, search: &mut Search<D>) {
        search.walk.begin();
        self.enter(ROOT, search);
        search.walk.advance();
        for word in words(key) {
            if search.walk.is_over() {
                return;
            }
            let word = self.words.find(word);
            // What starts to stay during this word takes part from the next word on.
            let staying = search.walk.staying.len();
            for at in 0..search.walk.reached.len() {
                self.step(search.walk.reached[at], word, search);
            }
            for at in 0..staying {
                self.step(search.walk.staying[at], word, search);
            }
            if search.steps.are_too_many() {
                return;
            }
            search.walk.advance();
        }
        for at in 0..search.walk.reached.len() {
            search.merge(&self.nodes[search.walk.reached[at] as usize].destinations);
        }
    }

    /// Consumes one word at `from`. The word is absent when no binding key contains it.
    fn step(&self, from: NodeId, word: Option<WordId>, search: &mut Search<D>) {
        if !search.steps.take(1) {
            return;
        }
        let node = &self.nodes[from as usize];
        if node.word_children > 0
            && let Some(word) = word
            && let Some(child) = self.edges.get(&(from, word))
        {
            self.enter(*child, search);
        }
        if let Some(child) = node.one_word {
            self.enter(child, search);
        }
    }

    /// Arrives at a node that is not a `#`. It can be left only by a word, so one arrival per word is all
    /// there can be: its parent is walked from once per word.
    fn enter(&self, node: NodeId, search: &mut Search<D>) {
        search.walk.entered.push(node);
        let mut node = &self.nodes[node as usize];
        // A `#` can take no word as well as all that follow. So what is bound there matches at once, and the
        // walk stays there to the end of the key; arriving a second time adds nothing.
        while let Some(child) = node.any_words
            && search.walk.seen.insert(child)
            && search.steps.take(1)
        {
            node = &self.nodes[child as usize];
            search.merge(&node.destinations);
            if node.word_children > 0 || node.one_word.is_some() {
                search.walk.staying.push(child);
            }
        }
    }

    fn child(&self, node: NodeId, word: &str) -> Option<NodeId> {
        match word {
            "*" => self.nodes[node as usize].one_word,
            "#" => self.nodes[node as usize].any_words,
            _ => self.edges.get(&(node, self.words.find(word)?)).copied(),
        }
    }

    fn grow(&mut self, parent: NodeId, word: &str) -> NodeId {
        let step = match word {
            "*" => Step::OneWord,
            "#" => Step::AnyWords,
            _ => Step::Word(self.words.acquire(word)),
        };
        let node = Node::new(parent, step);
        let child = match self.free.pop() {
            Some(child) => {
                self.nodes[child as usize] = node;
                child
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as NodeId
            }
        };
        let parent_node = &mut self.nodes[parent as usize];
        match step {
            Step::OneWord => parent_node.one_word = Some(child),
            Step::AnyWords => parent_node.any_words = Some(child),
            Step::Word(word) => {
                parent_node.word_children += 1;
                self.edges.insert((parent, word), child);
            }
        }
        child
    }

    fn prune(&mut self, mut node: NodeId) {
        while node != ROOT && self.nodes[node as usize].is_bare() {
            let Node { parent, step, .. } = self.nodes[node as usize];
            let parent_node = &mut self.nodes[parent as usize];
            match step {
                Step::OneWord => parent_node.one_word = None,
                Step::AnyWords => parent_node.any_words = None,
                Step::Word(word) => {
                    parent_node.word_children -= 1;
                    self.edges.remove(&(parent, word));
                    self.words.release(word);
                }
            }
            self.free.push(node);
            node = parent;
        }
        if self.nodes[ROOT as usize].is_bare() {
            *self = Trie::new(*self.words.ids.hasher());
        }
    }
}

/// The words of all binding keys, numbered, so that a routing key's words are hashed once each.
struct Words {
    ids: HashMap<Arc<str>, WordId, KeyHash>,
    entries: Vec<Word>,
    free: Vec<WordId>,
}

struct Word {
    text: Arc<str>,
    /// How many edges it labels.
    uses: u32,
}

impl Words {
    fn new(hash: KeyHash) -> Self {
        Words { ids: HashMap::with_hasher(hash), entries: Vec::new(), free: Vec::new() }
    }

    fn find(&self, text: &str) -> Option<WordId> {
        self.ids.get(text).copied()
    }

    fn acquire(&mut self, text: &str) -> WordId {
        if let Some(id) = self.find(text) {
            self.entries[id as usize].uses += 1;
            return id;
        }
        let text: Arc<str> = text.into();
        let word = Word { text: text.clone(), uses: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = word;
                id
            }
            None => {
                self.entries.push(word);
                (self.entries.len() - 1) as WordId
            }
        };
        self.ids.insert(text, id);
        id
    }

    fn release(&mut self, id: WordId) {
        let word = &mut self.entries[id as usize];
        word.uses -= 1;
        if word.uses == 0 {
            self.ids.remove(&word.text);
            word.text = Arc::default();
            self.free.push(id);
        }
    }
}

/// What one walk needs, kept from message to message so that routing allocates nothing.
#[derive(Default)]
pub struct Walk {
    /// Nodes that the words so far lead to.
    reached: Vec<NodeId>,
    /// Nodes that they lead to together with the present word.
    entered: Vec<NodeId>,
    /// `#` nodes with children, which take part in every word from now on.
    staying: Vec<NodeId>,
    /// All `#` nodes arrived at.
    seen: FxHashSet<NodeId>,
}

impl Walk {
    fn begin(&mut self) {
        let rooms = [self.reached.capacity(), self.entered.capacity(), self.seen.capacity()];
        if rooms.iter().any(|room| *room > KEPT_STATES_MAX) {
            *self = Walk::default();
        }
        self.reached.clear();
        self.entered.clear();
        self.staying.clear();
        self.seen.clear();
    }

    fn advance(&mut self) {
        std::mem::swap(&mut self.reached, &mut self.entered);
        self.entered.clear();
    }

    /// Whether no further word leads anywhere.
    fn is_over(&self) -> bool {
        self.reached.is_empty() && self.staying.is_empty()
    }
}

#[cfg(test)]
mod tests;
