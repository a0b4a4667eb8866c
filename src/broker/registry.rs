//! The registries: virtual hosts, queues, exchanges, users, permissions, clients. The only module that
//! knows DashMap; its functions hand out `Arc`s and copies, never guards.

use std::borrow::Borrow;
use std::hash::Hash;

use crate::broker::meeting::{Meet, Meeting};
use crate::routing::KeyHash;
use dashmap::DashMap;

/// A concurrent map from names or numbers to shared things. Clients choose the names, so they are hashed with a seed.
#[derive(Debug)]
pub struct Registry<K: Eq + Hash, V> {
    map: DashMap<K, V, KeyHash>,
    meet: Meet,
}

impl<K: Eq + Hash, V> Registry<K, V> {
    /// An empty one. Connections meet before and after each change of it.
    pub(in crate::broker) fn new(meet: &Meet, hash: KeyHash) -> Self {
        Self { map: DashMap::with_hasher(hash), meet: meet.clone() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Registry<K, V> {
    /// The thing of this name.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key).map(|entry| entry.value().clone())
    }

    /// Whether there is a thing of this name.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.contains_key(key)
    }

    /// Registers a thing, replacing one of the same name.
    pub fn insert(&self, key: K, value: V) {
        self.meet.at(Meeting::Registry);
        self.map.insert(key, value);
        self.meet.at(Meeting::Registered);
    }

    /// Removes and returns the thing of this name.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.meet.at(Meeting::Registry);
        let removed = self.map.remove(key).map(|(_, value)| value);
        self.meet.at(Meeting::Registered);
        removed
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// All of them, as they are at this moment, in no order.
    pub fn values(&self) -> Vec<V> {
        self.map.iter().map(|entry| entry.value().clone()).collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.map.clear();
    }
}
