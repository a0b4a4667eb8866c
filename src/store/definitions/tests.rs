//! Tests of the definitions on the disk: changes beside the whole, and what a crash leaves of either.

use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::store::disk::LocalDisk;
use crate::store::operation::{QueueRecord, VhostRecord};

fn queue(id: QueueId) -> Change {
    let (vhost, name) = ("/".into(), format!("q{id}"));
    Change::PutQueue(QueueRecord { id, vhost, name, auto_delete: false, arguments: vec![id as u8] })
}

fn delete(id: QueueId) -> Change {
    Change::DeleteQueue { vhost: "/".into(), name: format!("q{id}"), id }
}

fn at(offset: u64) -> LogPosition {
    LogPosition { segment: 1, offset }
}

/// A topology, and the files that keep it.
struct Bench {
    directory: TempDir,
    disk: Arc<dyn Disk>,
    definitions: Definitions,
    topology: Topology,
    /// Where the journal ends.
    end: u64,
}

impl Bench {
    fn new(queues: std::ops::Range<QueueId>) -> Self {
        let directory = tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(1 << 16));
        let definitions = Definitions::new(disk.clone(), directory.path(), None);
        let mut topology = Topology::default();
        topology.apply(&Change::PutVhost(VhostRecord { name: "/".into() }));
        queues.for_each(|id| {
            topology.apply(&queue(id));
        });
        let mut bench = Self { directory, disk, definitions, topology, end: 0 };
        bench.save();
        bench
    }

    fn load(&self) -> Kept {
        load(&*self.disk, self.directory.path()).unwrap().unwrap().unwrap()
    }

    /// Saves what is lacking. Returns what the largest slice took.
    fn save(&mut self) -> usize {
        self.save_while(&mut |_| {})
    }

    /// The same, with something done between the slices.
    fn save_while(&mut self, between: &mut dyn FnMut(&mut Topology)) -> usize {
        self.end += 100;
        let mut draft = self.definitions.draft(&mut self.topology, at(self.end));
        let mut most = 0;
        loop {
            let count = draft.extend(&mut self.topology, 3).unwrap();
            if count == 0 {
                break;
            }
            most = most.max(count);
            between(&mut self.topology);
        }
        self.definitions.keeping(draft).unwrap()().unwrap();
        most
    }

    fn reopen(&mut self) {
        let kept = self.load();
        assert!(kept.is_whole(&self.topology));
        self.topology.mark_kept(Keeper::Definitions);
        self.definitions = Definitions::new(self.disk.clone(), self.directory.path(), Some(kept));
    }

    fn bytes_of(&self, file: &str) -> u64 {
        fs::metadata(self.directory.path().join(file)).map_or(0, |metadata| metadata.len())
    }

    fn check(&self) {
        let kept = self.load();
        assert!(kept.is_whole(&self.topology), "{:?}", kept.damage);
        assert_eq!(kept.up_to, at(self.end));
        assert_eq!(kept.topology.queue_id_max(), self.topology.queue_id_max());
        assert_eq!(
            kept.topology.held_by(Keeper::Definitions),
            self.topology.records().count() as u64
        );
        assert!(!self.topology.is_behind(Keeper::Definitions));
    }
}

#[test]
fn a_change_writes_the_change_and_not_the_whole() {
    let mut bench = Bench::new(1..1000);
    bench.check();
    let whole = fs::read(bench.directory.path().join(FILE)).unwrap();
    bench.topology.apply(&queue(1000));
    bench.topology.apply(&delete(7));
    assert_eq!(bench.save(), 2);
    bench.check();
    assert_eq!(fs::read(bench.directory.path().join(FILE)).unwrap(), whole);
    let log_bytes = bench.definitions.files.lock().log_bytes;
    assert!(log_bytes < 200, "{log_bytes}");
}

#[test]
fn the_whole_is_written_anew_when_the_changes_have_grown_larger_by_far() {
    let mut bench = Bench::new(1..20);
    let mut wholes = 0;
    let mut before = bench.definitions.files.lock().whole_sum;
    for id in 20..2000 {
        bench.topology.apply(&queue(id));
        bench.topology.apply(&delete(id - 10));
        assert!(bench.save() <= 3);
        if id % 97 == 0 {
            bench.check();
            bench.reopen();
        }
        let files = bench.definitions.files.lock();
        assert!(files.log_bytes < LOG_PART * files.whole_bytes + LOG_BYTES + 500);
        wholes += u32::from(before != files.whole_sum);
        before = files.whole_sum;
    }
    assert!((3..60).contains(&wholes), "{wholes}");
    bench.check();
}

#[test]
fn what_an_earlier_version_wrote_is_read_and_written_anew() {
    let mut bench = Bench::new(1..3);
    let text = r#"{ "segment": 3, "offset": 70, "queue_id_max": 9, "records": [
        { "PutVhost": { "name": "/" } },
        { "PutQueue": { "id": 1, "vhost": "/", "name": "q1", "auto_delete": false, "arguments": [1] } },
        { "PutQueue": { "id": 2, "vhost": "/", "name": "q2", "auto_delete": false, "arguments": [2] } }
    ] }"#;
    fs::write(bench.directory.path().join(FILE), text).unwrap();
    let kept = bench.load();
    assert_eq!(kept.up_to, LogPosition { segment: 3, offset: 70 });
    assert_eq!(kept.topology.queue_id_max(), 9);
    bench.topology.note_queue_id(9);
    assert!(kept.topology.is_same(&bench.topology) && !kept.is_whole(&bench.topology));
    bench.definitions = Definitions::new(bench.disk.clone(), bench.directory.path(), Some(kept));
    bench.topology.forget_keeper(Keeper::Definitions);
    bench.save();
    bench.check();
}

#[test]
fn wherever_the_changes_tear_what_was_finished_before_is_there() {
    let mut bench = Bench::new(1..40);
    let mut ends = vec![(0, bench.topology.clone())];
    for id in 40..45 {
        bench.topology.apply(&queue(id));
        bench.topology.apply(&delete(id - 30));
        bench.save();
        let end = bench.definitions.files.lock().log_bytes as usize;
        ends.push((end, bench.topology.clone()));
    }
    let path = bench.directory.path().join(LOG);
    let mut log = fs::read(&path).unwrap();
    log.truncate(ends.last().unwrap().0);
    for length in 0..=log.len() {
        // With room behind it that was reserved, with noise, and without.
        let tail = match length % 3 {
            0 => vec![0; 100],
            1 => vec![0xa5; 100],
            _ => Vec::new(),
        };
        fs::write(&path, [&log[..length], &tail].concat()).unwrap();
        let (end, expected) = ends.iter().rfind(|(end, _)| *end <= length).unwrap();
        let kept = bench.load();
        assert!(kept.topology.is_same(expected), "torn at {length}");
        let is_torn = length > *end.max(&HEAD_BYTES) || length % 3 == 1;
        assert!(kept.damage.is_some() || !is_torn, "torn at {length}");
        assert_eq!(kept.is_whole(expected), kept.damage.is_none());
    }
}

#[test]
fn a_bit_that_flips_in_the_changes_is_noticed() {
    let mut bench = Bench::new(1..40);
    bench.topology.apply(&queue(40));
    bench.save();
    let path = bench.directory.path().join(LOG);
    let end = bench.definitions.files.lock().log_bytes as usize;
    let log = fs::read(&path).unwrap();
    for at in 0..end * 8 {
        let mut flipped = log.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        fs::write(&path, flipped).unwrap();
        assert!(!bench.load().is_whole(&bench.topology), "bit {at}");
    }
}

#[test]
fn changes_of_the_whole_before_do_not_count() {
    let mut bench = Bench::new(1..40);
    bench.topology.apply(&delete(5));
    bench.save();
    let path = bench.directory.path().join(LOG);
    let old = fs::read(&path).unwrap();
    *bench.definitions.files.lock() = Files::default();
    bench.topology.apply(&queue(50));
    bench.save();
    // A crash came before anything was written to the changes of the new one.
    assert!(old.starts_with(&fs::read(&path).unwrap()));
    bench.check();
    bench.topology.apply(&delete(6));
    bench.save();
    bench.check();
}

#[test]
fn what_goes_between_the_slices_is_missing_and_what_comes_waits() {
    for is_whole in [false, true] {
        let mut bench = Bench::new(1..40);
        (40..60).for_each(|id| {
            bench.topology.apply(&queue(id));
        });
        if is_whole {
            *bench.definitions.files.lock() = Files::default();
        }
        let (mut next, mut gone) = (60, 59);
        bench.save_while(&mut |topology| {
            topology.apply(&queue(next));
            topology.apply(&delete(gone));
            (next, gone) = (next + 1, gone - 1);
        });
        assert!(next > 62);
        let kept = bench.load();
        let known = |id| kept.topology.queue_ids().any(|known| known == id);
        assert!((60..next).all(|id| !known(id)) && !known(59) && known(40));
        bench.save();
        bench.check();
    }
}

#[test]
fn a_write_that_fails_leaves_the_next_to_write_the_whole() {
    let mut bench = Bench::new(1..40);
    bench.topology.apply(&queue(40));
    let draft = bench.definitions.draft(&mut bench.topology, at(5000));
    fs::remove_file(bench.directory.path().join(LOG)).unwrap_or_default();
    fs::create_dir(bench.directory.path().join(LOG)).unwrap();
    assert!(bench.definitions.keeping(draft).unwrap()().is_err());
    fs::remove_dir(bench.directory.path().join(LOG)).unwrap();
    bench.topology.forget_keeper(Keeper::Definitions);
    assert_eq!(bench.bytes_of(LOG), 0);
    bench.save();
    bench.check();
}

#[test]
fn an_id_that_came_and_went_is_not_forgotten() {
    let mut bench = Bench::new(1..4);
    bench.topology.apply(&queue(9));
    bench.topology.apply(&delete(9));
    assert!(bench.topology.is_behind(Keeper::Definitions));
    bench.save();
    bench.check();
    assert_eq!(bench.load().topology.queue_id_max(), 9);
}
