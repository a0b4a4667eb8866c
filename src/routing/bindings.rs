//! One exchange's bindings: which there are, and the structure that finds those a message matches.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::wire::Table;

use super::arguments::canonical_arguments;
use super::headers::HeaderIndex;
use super::key_hash::KeyHash;
use super::search::Search;
use super::tables::Tables;
use super::topic::Trie;
use super::{BindError, Binding, Bound, Destination, Destinations, Kind};

/// The bindings of one exchange. Who owns the exchange guards them; routing only reads.
pub struct Bindings<D> {
    kind: Kind,
    hash: KeyHash,
    matcher: Matcher<D>,
    /// By the destination's identity.
    bound: FxHashMap<u64, BoundTo<D>>,
    count: usize,
    argument_bytes: usize,
    /// What bindings without arguments share.
    no_arguments: Arc<Table>,
}

/// All bindings that lead to one destination.
struct BoundTo<D> {
    destination: D,
    keys: HashMap<Arc<str>, Tables, KeyHash>,
}

/// Finds destinations. Which binding it was does not matter, so a destination stands in `Direct`, `Fanout` and
/// `Topic` once per key, or once at all, however many bindings put it there.
enum Matcher<D> {
    Direct(HashMap<Arc<str>, Destinations<D>, KeyHash>),
    Fanout(Destinations<D>),
    Topic(Trie<D>),
    Headers(HeaderIndex<D>),
}

impl<D: Destination> Bindings<D> {
    /// No bindings yet. Keys and headers are hashed with `hash`.
    pub fn new(kind: Kind, hash: KeyHash) -> Self {
        let matcher = match kind {
            Kind::Direct => Matcher::Direct(HashMap::with_hasher(hash)),
            Kind::Fanout => Matcher::Fanout(Destinations::new()),
            Kind::Topic => Matcher::Topic(Trie::new(hash)),
            Kind::Headers => Matcher::Headers(HeaderIndex::new(hash)),
        };
        let no_arguments = Arc::new(Table::new());
        let bound = FxHashMap::default();
        Bindings { kind, hash, matcher, bound, count: 0, argument_bytes: 0, no_arguments }
    }

    /// Takes all bindings out.
    pub fn take(&mut self) -> Self {
        let none = Self::new(self.kind, self.hash);
        std::mem::replace(self, none)
    }

    /// How this exchange matches.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes a binding. Specification: `queue.bind`, `exchange.bind`.
    ///
    /// # Errors
    /// On a headers exchange, when `x-match` is none of the four words; other exchanges ignore it.
    pub fn bind(
        &mut self,
        key: &str,
        arguments: &Table,
        destination: D,
    ) -> Result<Bound, BindError> {
        let arguments = if arguments.is_empty() {
            self.no_arguments.clone()
        } else {
            canonical_arguments(arguments)
        };
        let (id, hash) = (destination.id(), self.hash);
        let present = self.bound.get(&id).and_then(|bound| bound.keys.get_key_value(key));
        let key: Arc<str> = match present {
            Some((_, tables)) if tables.find(&arguments, hash).is_some() => {
                return Ok(Bound::AlreadyThere);
            }
            Some((key, _)) => key.clone(),
            None => key.into(),
        };
        self.matcher.insert(&key, &arguments, &destination)?;
        let bound = self
            .bound
            .entry(id)
            .or_insert_with(|| BoundTo { destination, keys: HashMap::with_hasher(hash) });
        self.argument_bytes += arguments.held_bytes();
        bound.keys.entry(key).or_default().add(arguments, hash);
        self.count += 1;
        Ok(Bound::New)
    }

    /// Whether there is a binding like this.
    pub fn contains(&self, key: &str, arguments: &Table, destination: &D) -> bool {
        let bound = self.bound.get(&destination.id()).and_then(|bound| bound.keys.get(key));
        let arguments = canonical_arguments(arguments);
        bound.is_some_and(|tables| tables.find(&arguments, self.hash).is_some())
    }

    /// Whether any binding leads to this destination.
    pub fn lead_to(&self, destination: &D) -> bool {
        self.bound.contains_key(&destination.id())
    }

    /// Removes one binding. False when there is none like it.
    pub fn unbind(&mut self, key: &str, arguments: &Table, destination: &D) -> bool {
        let id = destination.id();
        let Some(bound) = self.bound.get_mut(&id) else { return false };
        let Some(tables) = bound.keys.get_mut(key) else { return false };
        let arguments = canonical_arguments(arguments);
        let Some(arguments) = tables.remove(&arguments, self.hash) else { return false };
        let left = if !tables.is_empty() {
            Left::SameKey
        } else {
            bound.keys.remove(key);
            if bound.keys.is_empty() { Left::Nothing } else { Left::OtherKeys }
        };
        if left == Left::Nothing {
            self.bound.remove(&id);
        }
        self.count -= 1;
        self.argument_bytes -= arguments.held_bytes();
        self.matcher.remove(key, &arguments, id, left);
        true
    }

    /// Removes every binding that leads to `destination`, and answers how many there were.
    pub fn remove_destination(&mut self, destination: &D) -> usize {
        self.remove_some(destination, usize::MAX)
    }

    /// Removes at most so many bindings that lead to `destination`, and answers how many it were.
    pub fn remove_some(&mut self, destination: &D, most: usize) -> usize {
        let id = destination.id();
        let Some(bound) = self.bound.get_mut(&id) else { return 0 };
        let (mut removed, mut bytes) = (0, 0);
        let matcher = &mut self.matcher;
        let mut emptied = bound.keys.extract_if(|key, tables| {
            let taken = tables.take_some(most - removed);
            removed += taken.len();
            for arguments in taken {
                bytes += arguments.held_bytes();
                matcher.remove(key, &arguments, id, Left::SameKey);
            }
            tables.is_empty()
        });
        let mut last_keys: Vec<Arc<str>> = Vec::new();
        while last_keys.len() < most
            && let Some((key, _)) = emptied.next()
        {
            last_keys.push(key);
        }
        drop(emptied);
        let is_last = bound.keys.is_empty();
        for key in last_keys {
            let left = if is_last { Left::Nothing } else { Left::OtherKeys };
            self.matcher.remove_key(&key, id, left);
        }
        if is_last {
            self.bound.remove(&id);
        }
        self.argument_bytes -= bytes;
        self.count -= removed;
        removed
    }

    /// Everything that a binding leads to, each once.
    pub fn destinations(&self) -> impl Iterator<Item = &D> {
        self.bound.values().map(|bound| &bound.destination)
    }

    /// Adds to what was found each destination that a message with this routing key and these headers reaches, as
    /// far as the search's steps go. The headers matter only where [`needs_headers`](Self::needs_headers) says so;
    /// absent is as good as empty.
    pub fn route(&self, key: &str, headers: Option<&Table>, search: &mut Search<D>) {
        if !search.steps.take(1) {
            return;
        }
        match &self.matcher {
            Matcher::Direct(keys) => {
                if let Some(destinations) = keys.get(key) {
                    search.merge(destinations);
                }
            }
            Matcher::Fanout(destinations) => search.merge(destinations),
            Matcher::Topic(trie) => trie.route(key, search),
            Matcher::Headers(index) => index.route(headers, search),
        }
    }

    /// Whether routing looks at the routing key. If not, a second key finds nothing more.
    pub fn needs_key(&self) -> bool {
        matches!(self.kind, Kind::Direct | Kind::Topic)
    }

    /// Whether routing looks at a message's headers, so that the caller need not parse them otherwise.
    pub fn needs_headers(&self) -> bool {
        matches!(&self.matcher, Matcher::Headers(index) if index.needs_headers())
    }

    /// All bindings, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Binding<D>> {
        self.bound.values().flat_map(|bound| {
            bound.keys.iter().flat_map(|(key, tables)| {
                tables.iter().map(|arguments| Binding {
                    key: key.clone(),
                    arguments: arguments.clone(),
                    destination: bound.destination.clone(),
                })
            })
        })
    }

    /// Bytes of memory that the arguments of all bindings hold, about.
    pub fn argument_bytes(&self) -> usize {
        self.argument_bytes
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What still leads to a destination after one of its bindings went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// A binding with the same key and other arguments.
    SameKey,
    /// Bindings with other keys only.
    OtherKeys,
    Nothing,
}

impl<D: Destination> Matcher<D> {
    fn insert(
        &mut self,
        key: &Arc<str>,
        arguments: &Arc<Table>,
        destination: &D,
    ) -> Result<(), BindError> {
        match self {
            Matcher::Direct(keys) => {
                keys.entry(key.clone()).or_default().push(destination);
            }
            Matcher::Fanout(destinations) => {
                destinations.push(destination);
            }
            Matcher::Topic(trie) => trie.insert(key, destination),
            Matcher::Headers(index) => index.insert(arguments, destination)?,
        }
        Ok(())
    }

    fn remove(&mut self, key: &str, arguments: &Arc<Table>, id: u64, left: Left) {
        match self {
            Matcher::Headers(index) => index.remove(arguments, id),
            _ if left != Left::SameKey => self.remove_key(key, id, left),
            _ => {}
        }
    }

    /// No binding by this key leads to the destination any more.
    fn remove_key(&mut self, key: &str, id: u64, left: Left) {
        match self {
            Matcher::Fanout(destinations) if left == Left::Nothing => {
                destinations.remove(id);
            }
            Matcher::Direct(keys) => {
                if let Some(destinations) = keys.get_mut(key) {
                    destinations.remove(id);
                    if destinations.is_empty() {
                        keys.remove(key);
                    }
                }
            }
            Matcher::Topic(trie) => trie.remove(key, id),
            Matcher::Fanout(_) | Matcher::Headers(_) => {}
        }
    }
}
