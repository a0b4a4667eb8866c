//! What a broker is given beside its configuration: where random numbers come from, what its messages count in, and who
//! is called where connections meet. Two brokers with surroundings of their own share nothing.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::Broker;
use crate::broker::meeting::Meet;
use crate::broker::refusal::{Refusal, RefusalKind};
use crate::entropy::{Entropy, SystemEntropy};
use crate::message::Memory;
use crate::routing::KeyHash;
use crate::store::{self, Options, Recovered, Steps, Store, StoreError};

/// Random bytes in a name that the broker makes up: nobody guesses them. They make 22 characters.
const NAME_BYTES: usize = 16;

/// Work of one turn of a publisher. What one read from a socket brings is less, unless its messages go to many queues each;
/// as much takes some milliseconds.
const TURN_WORK: usize = 16 * 1024;

/// What a broker is given.
pub struct Surroundings {
    /// Where random numbers come from.
    pub entropy: Arc<dyn Entropy>,
    /// What the broker's messages count in, and nobody else's.
    pub memory: &'static Memory,
    /// Who is called where connections meet.
    pub meet: Meet,
    /// How much one turn of a publisher does: steps of routing, places given in queues and messages put there, counted
    /// together. At least 1.
    pub turn_work: usize,
    /// What its store stands on, if that is not the file system, and who takes the store's steps, if those are not
    /// threads of its own.
    pub stepped: Option<Stepped>,
}

/// A store that goes on only when somebody takes its steps.
pub struct Stepped {
    /// What it stands on.
    pub store: store::Surroundings,
    /// Is given the steps as soon as there are any.
    pub take: Box<dyn FnOnce(Steps) + Send>,
}

impl Surroundings {
    /// The machine that the process runs on. A count for messages is made each time and kept for good.
    pub fn of_the_machine() -> Self {
        Self {
            entropy: Arc::new(SystemEntropy),
            memory: Memory::leaked(),
            meet: Meet::default(),
            turn_work: TURN_WORK,
            stepped: None,
        }
    }
}

/// Opens a store, which goes on by itself unless somebody takes its steps.
pub(in crate::broker) fn open_store(
    stepped: Option<Stepped>,
    options: Options,
    events: store::Events,
) -> Result<(Store, Recovered), StoreError> {
    let Some(stepped) = stepped else { return Store::open(options, events) };
    let (store, recovered, steps) = Store::open_stepped(options, events, stepped.store)?;
    (stepped.take)(steps);
    Ok((store, recovered))
}

/// Hashing that nobody can foresee.
pub(in crate::broker) fn key_hash(entropy: &dyn Entropy) -> Result<KeyHash, String> {
    let mut seed = [[0; 8]; 2];
    for word in &mut seed {
        entropy.fill(word).map_err(|error| format!("no random numbers: {error}"))?;
    }
    Ok(KeyHash::new(seed.map(u64::from_le_bytes)))
}

impl Broker {
    /// What messages for this broker are to count in.
    pub fn memory(&self) -> &'static Memory {
        self.memory
    }

    /// Where random numbers come from.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// A name that nobody else has and nobody can guess, behind a prefix.
    ///
    /// # Errors
    /// Failed when there are no random numbers.
    pub fn random_name(&self, prefix: &str) -> Result<String, Refusal> {
        let mut random = [0; NAME_BYTES];
        self.entropy().fill(&mut random).map_err(|error| no_numbers(&error))?;
        Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random)))
    }
}

fn no_numbers(error: &io::Error) -> Refusal {
    Refusal::new(RefusalKind::Failed, format!("no random numbers: {error}"))
}
