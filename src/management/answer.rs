//! From hyper's request to hyper's response: the body read within its bounds, the handler run where it may block,
//! and a peer that does not take its answer given up.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_std::io::{Read, Write};
use async_std::{future, task};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};

use super::Api;
use super::authentication::Caller;
use super::budget::Share;
use super::metrics::{self, Metrics, Scrape};
use super::pieces::Pieces;
use super::reply::Reply;
use super::request::Request;
use super::router;
use crate::socket::{Socket, Writing};

/// How browsers and tools learn that a login is wanted, when none came along.
const CHALLENGE: &str = "Basic realm=\"Leveret Management\"";

/// A listing, metrics, or whatever else was asked for: its head, and its body apart.
struct Answer {
    reply: Reply,
    body: Pieces,
    allow: Option<String>,
}

impl Answer {
    fn refused(reply: Reply) -> Self {
        Self { reply, body: Pieces::Whole(Bytes::new()), allow: None }
    }
}

/// Answers one request.
pub(super) async fn answer(
    api: Arc<Api>,
    request: hyper::Request<Incoming>,
    peer: IpAddr,
) -> Response<Pieces> {
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let Some(request) = Request::new(head.method, &head.uri, &head.headers, peer) else {
        let refusal = Answer::refused(Reply::bad_request("the path is not UTF-8"));
        return respond(refusal, &method, Challenge::No);
    };
    let challenge = if request.credentials.is_none() { Challenge::Yes } else { Challenge::No };
    let answer = match request.path.first().map(String::as_str) {
        Some("api") => below_api(&api, request, body).await,
        Some("metrics") => exposed(&api, request, head.uri.to_string()).await,
        _ => Answer::refused(Reply::no_object()),
    };
    respond(answer, &method, challenge)
}

/// Nobody's body is read before it is known who asks.
async fn below_api(api: &Arc<Api>, mut request: Request, body: Incoming) -> Answer {
    let allow = Some(router::allow(&request));
    let caller = match Caller::log_in(&api.broker, &request).await {
        Ok(caller) => caller,
        Err(reply) => return Answer { allow, ..Answer::refused(reply) },
    };
    let mut share = api.budget.share();
    match read(api, body, &mut share).await {
        Ok(body) => request.body = body,
        Err(refusal) => return Answer::refused(refusal),
    }
    let place = if request.is_for_listing() { Some(api.listings.place().await) } else { None };
    let handling = Arc::clone(api);
    let mut reply = task::spawn_blocking(move || router::route(&handling, &request, &caller)).await;
    drop((place, share));
    match api.budget.hold(std::mem::take(&mut reply.body)) {
        Ok(body) => Answer { reply, body: Pieces::Whole(body), allow },
        Err(refusal) => Answer::refused(refusal),
    }
}

/// Metrics need no login, so that little may be held for each reader: what is summed up is written once for all that
/// came together, and what has a series for each object is written while it is sent.
async fn exposed(api: &Arc<Api>, request: Request, query: String) -> Answer {
    let body = if metrics::is_summed(&request) {
        let write = async || match begun(api, request).await? {
            Metrics::Summed(text) => api.budget.hold(text),
            Metrics::Scrape(_) => Err(Reply::no_object()),
        };
        api.listings.metrics(&query, write).await.map(Pieces::Whole)
    } else {
        match begun(api, request).await {
            Ok(Metrics::Summed(text)) => api.budget.hold(text).map(Pieces::Whole),
            Ok(Metrics::Scrape(scrape)) => scraped(api, scrape),
            Err(refusal) => Err(refusal),
        }
    };
    match body {
        Ok(body) => Answer { reply: metrics::head(), body, allow: None },
        Err(refusal) => Answer::refused(refusal),
    }
}
/// The metrics that somebody asks for, or what is to be written of them.
async fn begun(api: &Arc<Api>, request: Request) -> Result<Metrics, Reply> {
    let _place = api.listings.place().await;
    let api = Arc::clone(api);
    task::spawn_blocking(move || metrics::get(&api, &request)).await
}

/// A body of which each piece is written in its turn, and only when the one before was taken.
fn scraped(api: &Arc<Api>, scrape: Scrape) -> Result<Pieces, Reply> {
    let mut share = api.budget.share();
    share.grow(scrape.held_bytes())?;
    let api = Arc::clone(api);
    Ok(Pieces::made((scrape, share), move |(mut scrape, share)| {
        let api = Arc::clone(&api);
        async move {
            let _place = api.listings.place().await;
            let writing = Arc::clone(&api);
            let piece = task::spawn_blocking(move || {
                let text = scrape.next(&writing);
                (text, scrape)
            });
            let (text, scrape) = piece.await;
            let text = text.map_err(io::Error::other)?;
            Ok(text.map(|text| (Bytes::from(text), (scrape, share))))
        }
    }))
}

async fn read(api: &Api, mut body: Incoming, share: &mut Share) -> Result<Bytes, Reply> {
    let settings = &api.broker.config().management;
    let most = settings.body_bytes_max;
    let limit = Duration::from_millis(settings.request_ms_max);
    let reading = async {
        let mut collected = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| Reply::bad_request(format!("the body cannot be read: {error}")))?;
            let Some(part) = frame.data_ref() else { continue };
            if collected.len() + part.len() > most {
                return Err(Reply::error(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "payload_too_large",
                    &format!(
                        "the body has more than {most} bytes, which `management.body_bytes_max` sets"
                    ),
                ));
            }
            share.grow(part.len())?;
            collected.extend_from_slice(part);
        }
        Ok(Bytes::from(collected))
    };
    future::timeout(limit, reading).await.unwrap_or_else(|_| {
        Err(Reply::error(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the body took too long to come",
        ))
    })
}

#[derive(PartialEq, Eq)]
enum Challenge {
    Yes,
    No,
}

fn respond(answer: Answer, method: &Method, challenge: Challenge) -> Response<Pieces> {
    let Answer { reply, mut body, allow } = answer;
    if body.is_end_stream() {
        // What says why something is refused is small, and is never refused itself.
        body = Pieces::Whole(Bytes::from(reply.body));
    }
    let (is_empty, length) = (body.is_end_stream(), body.size_hint().exact());
    if let (&Method::HEAD, Pieces::Whole(bytes)) = (method, &mut body) {
        bytes.clear();
    }
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    if !is_empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    if let (&Method::HEAD, Some(length)) = (method, length) {
        headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if reply.status == StatusCode::UNAUTHORIZED && challenge == Challenge::Yes {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    let location = reply.location.and_then(|location| HeaderValue::try_from(location).ok());
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
    if let Some(allow) = allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        headers.insert(ALLOW, allow);
    }
    response
}

/// A socket whose peer has some time to take what is written, and is given up when it does not.
pub(super) struct TimedWrites {
    socket: Socket,
    limit: Duration,
    /// Runs while a write waits.
    late: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl TimedWrites {
    pub fn new(socket: Socket, limit: Duration) -> Self {
        Self { socket, limit, late: None }
    }

    fn timed<T>(
        &mut self,
        context: &mut Context<'_>,
        wait: impl FnOnce(Pin<&mut Writing>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = wait(Pin::new(&mut self.socket.writing), context) {
            self.late = None;
            return Poll::Ready(written);
        }
        let limit = self.limit;
        let late = self.late.get_or_insert_with(|| Box::pin(task::sleep(limit)));
        match late.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Read for TimedWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket.reading).poll_read(context, into)
    }
}

impl Write for TimedWrites {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.timed(context, |writing, context| writing.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(context, |writing, context| writing.poll_flush(context))
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(context, |writing, context| writing.poll_close(context))
    }
}
