//! The arguments of the bindings that lead to one destination by one key. Nearly always there is one table; a client
//! may make a hundred thousand, and each must still be found at once.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::wire::Table;

use super::arguments::same_table;
use super::key_hash::KeyHash;

/// Up to this many are compared one by one.
const COMPARED_MAX: usize = 8;

/// Canonical tables, each once.
pub enum Tables {
    Few(SmallVec<[Arc<Table>; 1]>),
    /// By the hash of their bytes.
    Many {
        by_digest: FxHashMap<u64, SmallVec<[Arc<Table>; 1]>>,
        count: usize,
    },
}

impl Default for Tables {
    fn default() -> Self {
        Tables::Few(SmallVec::new())
    }
}

impl Tables {
    /// The table that equals this one.
    pub fn find(&self, table: &Table, hash: KeyHash) -> Option<&Arc<Table>> {
        let among = match self {
            Tables::Few(tables) => tables,
            Tables::Many { by_digest, .. } => by_digest.get(&digest(table, hash))?,
        };
        among.iter().find(|one| same_table(one, table))
    }

    /// Adds a table that is not there.
    pub fn add(&mut self, table: Arc<Table>, hash: KeyHash) {
        match self {
            Tables::Few(tables) if tables.len() < COMPARED_MAX => tables.push(table),
            Tables::Few(tables) => {
                let few = std::mem::take(tables);
                *self = Tables::Many { by_digest: FxHashMap::default(), count: 0 };
                few.into_iter().chain([table]).for_each(|table| self.add(table, hash));
            }
            Tables::Many { by_digest, count } => {
                by_digest.entry(digest(&table, hash)).or_default().push(table);
                *count += 1;
            }
        }
    }

    /// Takes out the table that equals this one.
    pub fn remove(&mut self, table: &Table, hash: KeyHash) -> Option<Arc<Table>> {
        match self {
            Tables::Few(tables) => take(tables, table),
            Tables::Many { by_digest, count } => {
                let digest = digest(table, hash);
                let among = by_digest.get_mut(&digest)?;
                let taken = take(among, table)?;
                if among.is_empty() {
                    by_digest.remove(&digest);
                }
                *count -= 1;
                Some(taken)
            }
        }
    }

    /// Takes out at most so many, whichever.
    pub fn take_some(&mut self, most: usize) -> Vec<Arc<Table>> {
        match self {
            Tables::Few(tables) => tables.drain(tables.len().saturating_sub(most)..).collect(),
            Tables::Many { by_digest, count } => {
                let mut taken = Vec::new();
                let mut emptied = by_digest.extract_if(|_, among| {
                    while taken.len() < most
                        && let Some(table) = among.pop()
                    {
                        taken.push(table);
                    }
                    among.is_empty()
                });
                // Those are as many as there are tables, or fewer.
                for _ in 0..most {
                    if emptied.next().is_none() {
                        break;
                    }
                }
                drop(emptied);
                *count -= taken.len();
                taken
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        match self {
            Tables::Few(tables) => tables.len(),
            Tables::Many { count, .. } => *count,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Table>> {
        let (few, many) = match self {
            Tables::Few(tables) => (Some(tables), None),
            Tables::Many { by_digest, .. } => (None, Some(by_digest)),
        };
        few.into_iter().flatten().chain(many.into_iter().flat_map(FxHashMap::values).flatten())
    }
}

fn take(tables: &mut SmallVec<[Arc<Table>; 1]>, table: &Table) -> Option<Arc<Table>> {
    let at = tables.iter().position(|one| same_table(one, table))?;
    Some(tables.swap_remove(at))
}

fn digest(table: &Table, hash: KeyHash) -> u64 {
    hash.hash_one(table.to_bytes())
}
