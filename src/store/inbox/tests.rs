//! Tests of the inbox: order, fullness, and its end.

use std::sync::mpsc;

use super::*;

fn returned(position: u64) -> Vec<Operation> {
    vec![Operation::Returned { queue: 1, position, count: 1 }]
}

#[test]
fn batches_come_out_in_the_order_of_putting() {
    let inbox = Inbox::new(1 << 20);
    for position in 0..10 {
        inbox.put(returned(position), None);
    }
    let Next::Commit(group) = inbox.take() else { panic!("nothing there") };
    let positions: Vec<u64> = group
        .iter()
        .map(|batch| match batch.operations[..] {
            [Operation::Returned { position, .. }] => position,
            _ => panic!("another operation"),
        })
        .collect();
    assert_eq!(positions, Vec::from_iter(0..10));
}

#[test]
fn it_is_full_from_its_limit_until_half_of_it() {
    let one = {
        let inbox = Inbox::new(1);
        inbox.put(returned(1), None);
        inbox.bytes()
    };
    let inbox = Inbox::new(one * 10);
    for _ in 0..10 {
        inbox.put(returned(1), None);
        assert!(!inbox.is_full());
    }
    inbox.put(returned(1), None);
    assert!(inbox.is_full());
    let room: Vec<bool> = (0..11).map(|_| inbox.release(one)).collect();
    let expected: Vec<bool> = (0..11).map(|released| released == 6).collect();
    assert_eq!(room, expected);
    assert_eq!((inbox.bytes(), inbox.is_full()), (0, false));
}

#[test]
fn a_closed_inbox_gives_out_what_it_holds_and_takes_nothing_in() {
    let inbox = Inbox::new(1 << 20);
    inbox.put(returned(1), None);
    inbox.close();
    let (sender, receiver) = mpsc::channel();
    inbox.put(returned(2), Some(Box::new(move |result| sender.send(result).unwrap())));
    assert_eq!(receiver.recv(), Ok(Err(Lost)));
    assert!(matches!(inbox.take(), Next::Commit(group) if group.len() == 1));
    assert!(matches!(inbox.take(), Next::Stop));
}

#[test]
fn a_sleeping_committer_is_woken() {
    let inbox = Inbox::new(1 << 20);
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| {
            inbox.wait(None);
            matches!(inbox.take(), Next::Commit(_))
        });
        inbox.put(returned(1), None);
        assert!(taker.join().unwrap());
        let taker = scope.spawn(|| {
            inbox.wait(None);
            matches!(inbox.take(), Next::Stop)
        });
        inbox.close();
        assert!(taker.join().unwrap());
    });
}

#[test]
fn the_time_comes_when_nothing_waits() {
    let inbox = Inbox::new(1 << 20);
    inbox.wait(Some(Instant::now()));
    assert!(matches!(inbox.take(), Next::Nothing));
}
