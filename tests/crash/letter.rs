//! The body of one message under load: who sent it as which, where it was to go, a filling, and a checksum over all.

use std::fmt;

/// Which queues a message goes to, by its routing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    First,
    Second,
    FirstAndSecond,
    /// Over a second exchange, to a queue that dead-letters.
    Third,
    /// To a queue that is purged now and then.
    Purged,
    /// To a queue that is deleted now and then, and declared anew.
    Deleted,
}

impl Route {
    const ALL: [Self; 6] =
        [Self::First, Self::Second, Self::FirstAndSecond, Self::Third, Self::Purged, Self::Deleted];

    pub fn by_number(number: u64) -> Self {
        Self::ALL[number as usize % Self::ALL.len()]
    }

    pub fn key(self) -> &'static str {
        match self {
            Self::First => "first.x",
            Self::Second => "second.x",
            Self::FirstAndSecond => "both.x",
            Self::Third => "third.x",
            Self::Purged => "purged.x",
            Self::Deleted => "deleted.x",
        }
    }

    pub fn queues(self) -> &'static [&'static str] {
        match self {
            Self::First => &[super::topology::FIRST],
            Self::Second => &[super::topology::SECOND],
            Self::FirstAndSecond => &[super::topology::FIRST, super::topology::SECOND],
            Self::Third => &[super::topology::THIRD],
            Self::Purged => &[super::topology::PURGED],
            Self::Deleted => &[super::topology::DELETED],
        }
    }
}

impl Route {
    /// Whether its queues are always there, so that a confirm means that it is on the disk.
    pub fn is_lasting(self) -> bool {
        self != Self::Deleted
    }
}

/// Which message it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub round: u32,
    pub publisher: u32,
    /// From 0, one more with each message of that publisher in that round.
    pub sequence: u32,
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.round, self.publisher, self.sequence)
    }
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    pub name: Name,
    pub route: Route,
    pub persistent: bool,
    pub filling_bytes: u32,
}

const HEAD: usize = 18;
const CHECKSUM: usize = 4;

impl Letter {
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(HEAD + self.filling_bytes as usize + CHECKSUM);
        body.extend(self.name.round.to_be_bytes());
        body.extend(self.name.publisher.to_be_bytes());
        body.extend(self.name.sequence.to_be_bytes());
        body.push(self.route as u8);
        body.push(u8::from(self.persistent));
        body.extend(self.filling_bytes.to_be_bytes());
        body.extend((0..self.filling_bytes).map(|at| (at ^ self.name.sequence) as u8));
        body.extend(crc32c::crc32c(&body).to_be_bytes());
        body
    }

    /// The letter whose body this is.
    ///
    /// # Panics
    ///
    /// When a single bit is not as it was sent.
    pub fn read(body: &[u8]) -> Self {
        assert!(body.len() >= HEAD + CHECKSUM, "a body of {} bytes", body.len());
        let number = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        let letter = Self {
            name: Name { round: number(0), publisher: number(4), sequence: number(8) },
            route: Route::by_number(u64::from(body[12])),
            persistent: body[13] != 0,
            filling_bytes: number(14),
        };
        assert_eq!(number(body.len() - CHECKSUM), crc32c::crc32c(&body[..body.len() - CHECKSUM]));
        assert!(letter.body() == body, "the checksum is right, but not the body of {letter:?}");
        letter
    }
}
