//! The snapshot of the topology as a JSON file, `definitions.json`, replaced as a whole. With the
//! journal it rebuilds the index when sled cannot.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, replace_file};
use super::log::{LogPosition, SegmentId};
use super::operation::{Change, QueueId};
use super::topology::Topology;

const FILE: &str = "definitions.json";

#[derive(Serialize)]
struct Saved<'a> {
    /// The topology is as of this point of the journal.
    segment: SegmentId,
    offset: u64,
    queue_id_max: QueueId,
    records: Vec<&'a Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loaded {
    segment: SegmentId,
    offset: u64,
    queue_id_max: QueueId,
    records: Vec<Change>,
}

/// Replaces the snapshot.
pub(super) fn save(
    disk: &dyn Disk,
    directory: &Path,
    up_to: LogPosition,
    topology: &Topology,
) -> io::Result<()> {
    let saved = Saved {
        segment: up_to.segment,
        offset: up_to.offset,
        queue_id_max: topology.queue_id_max(),
        records: topology.records().collect(),
    };
    let mut text = serde_json::to_vec_pretty(&saved)?;
    text.push(b'\n');
    replace_file(disk, directory, FILE, &text)
}

/// Reads the snapshot, if there is one. An error says what is wrong with it.
pub(super) fn load(
    disk: &dyn Disk,
    directory: &Path,
) -> Result<Option<(LogPosition, Topology)>, String> {
    let text = match disk.read(&directory.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{FILE} cannot be read: {error}")),
    };
    let loaded: Loaded = serde_json::from_slice(&text)
        .map_err(|error| format!("{FILE} cannot be understood: {error}"))?;
    let mut topology = Topology::default();
    for record in &loaded.records {
        topology.apply(record);
    }
    topology.note_queue_id(loaded.queue_id_max);
    topology.mark_saved();
    Ok(Some((LogPosition { segment: loaded.segment, offset: loaded.offset }, topology)))
}
