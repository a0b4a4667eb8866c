//! A socket's halves, and what others do with it, against a client of the system's own.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use async_std::channel;
use async_std::task;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::{Listener, Socket};
use crate::security::Security;

/// A socket that was accepted, and the client at its other end.
async fn pair() -> (Socket, TcpStream) {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.address().unwrap();
    let (sender, accepted) = channel::bounded(1);
    let accepting = task::spawn(async move {
        listener.accept("connections", |arriving| sender.try_send(arriving).unwrap()).await;
    });
    let client = TcpStream::connect(address).unwrap();
    let socket = accepted.recv().await.unwrap().enter().unwrap();
    accepting.cancel().await;
    (socket, client)
}

#[test]
fn both_directions_go_on_beside_each_other() {
    task::block_on(async {
        let (mut socket, mut client) = pair().await;
        assert_eq!(
            (socket.address, socket.local),
            (client.local_addr().unwrap(), client.peer_addr().unwrap())
        );
        assert_eq!(socket.security, Security::Plain);
        client.write_all(b"there").unwrap();
        socket.writing.write_all(b"back").await.unwrap();
        let mut came = [0; 5];
        socket.reading.read_exact(&mut came).await.unwrap();
        assert_eq!(&came, b"there");
        socket.writing.close().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"back");
        // The other direction is open.
        client.write_all(b"again").unwrap();
        socket.reading.read_exact(&mut came).await.unwrap();
        assert_eq!(&came, b"again");
    });
}

#[test]
fn an_end_is_seen_by_those_who_do_not_read() {
    task::block_on(async {
        let (mut socket, mut client) = pair().await;
        assert!(!socket.control.is_hung_up());
        client.write_all(b"unread").unwrap();
        drop(client);
        while !socket.control.is_hung_up() {
            std::thread::yield_now();
        }
        assert_eq!(socket.control.unread_bytes(), 6);
        socket.control.abort();
        let mut rest = Vec::new();
        socket.reading.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"unread");
    });
}

#[test]
fn whoever_waits_is_woken_by_an_abort() {
    task::block_on(async {
        let (mut socket, _client) = pair().await;
        let control = socket.control.clone();
        let waiting = task::spawn(async move { socket.reading.read(&mut [0; 8]).await });
        control.abort();
        assert_eq!(waiting.await.unwrap(), 0);
    });
}
