//! A tunnel: whoever connects to it is connected to a TLS port. So clients that know nothing of TLS speak it.

use std::io;
use std::sync::{Arc, Mutex};

use async_std::net::{TcpListener, TcpStream};
use async_std::task::{self, JoinHandle};
use futures_lite::future;
use futures_rustls::TlsConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// A tunnel to a port of this machine. It goes when this is dropped.
pub struct Tunnel {
    port: u16,
    accepting: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
}

/// What came of the handshakes.
#[derive(Default)]
struct Seen {
    certificate: Option<Vec<u8>>,
    failure: Option<String>,
}

impl Tunnel {
    pub fn to(port: u16, config: &Arc<ClientConfig>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listener = task::block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let own = listener.local_addr().unwrap().port();
        let (connector, noted) = (TlsConnector::from(Arc::clone(config)), Arc::clone(&seen));
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (connector, noted) = (connector.clone(), Arc::clone(&noted));
                task::spawn(async move {
                    if let Err(error) = carry(stream, port, &connector, &noted).await {
                        noted.lock().unwrap().failure = Some(error.to_string());
                    }
                });
            }
        });
        Self { port: own, accepting: Some(accepting), seen }
    }

    /// Where to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that the server has shown last.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.seen.lock().unwrap().certificate.clone()
    }
}

async fn carry(
    stream: TcpStream,
    port: u16,
    connector: &TlsConnector,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let outer = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let outer = connector.connect(name, outer).await?;
    let shown = outer.get_ref().1.peer_certificates().and_then(<[_]>::first);
    seen.lock().unwrap().certificate = shown.map(|certificate| certificate.to_vec());
    let (from_server, to_server) = futures_lite::io::split(outer);
    let there = futures_lite::io::copy(stream.clone(), to_server);
    let back = futures_lite::io::copy(from_server, stream);
    future::race(there, back).await.map(drop)
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            task::block_on(accepting.cancel());
        }
    }
}
