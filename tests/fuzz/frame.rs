//! The frame target: the negotiated limit in the first two bytes, then what a peer sends.

use leveret::wire::{
    ContentHeader, FRAME_BYTES_MIN, FRAME_OVERHEAD_BYTES, Frame, HeaderCheck, PROTOCOL_HEADER,
    WireError, encode_content, encode_heartbeat, frame_bytes_needed, next_frame, protocol_header,
};

use super::language;
use super::random::Random;

/// Runs an input.
pub fn run(input: &[u8]) {
    let Some((limit, bytes)) = input.split_first_chunk::<2>() else { return };
    let limit = FRAME_BYTES_MIN + u32::from(u16::from_be_bytes(*limit));
    header_is_judged_alike_however_it_comes(bytes);
    let mut rest = bytes;
    while let Ok(Some((frame, used))) = next_frame(rest, limit) {
        assert!((FRAME_OVERHEAD_BYTES..=limit as usize).contains(&used), "{used} bytes");
        assert_eq!(frame_bytes_needed(rest), Some(used));
        prefixes_need_more(&rest[..used], limit);
        survives_a_round_trip(&frame, limit);
        rest = &rest[used..];
    }
    if let Err(error) = next_frame(rest, limit) {
        is_told_plainly(&error);
        stays_refused_when_more_comes(rest, limit, &error);
    }
}

/// Changes an input: a frame more, or a frame changed where it hurts.
pub fn change(input: &mut Vec<u8>, random: &mut Random) {
    let head = input.len().min(2);
    let mut items = language::frames_of(&input[head..]);
    language::change_frames(&mut items, random);
    input.truncate(head);
    input.resize(2, 0);
    input.extend(items.concat());
}

/// A reader gets the same answer however few bytes it has: nothing before the frame is whole, unless it is
/// refused already.
fn prefixes_need_more(whole: &[u8], limit: u32) {
    let ends = (0..whole.len().min(16)).chain([whole.len() / 2, whole.len() - 1]);
    for end in ends {
        let found = next_frame(&whole[..end], limit);
        assert!(matches!(found, Ok(None)), "{end} of {} bytes: {found:?}", whole.len());
    }
}

/// What is written is what was read; written again it is the same to the byte.
fn survives_a_round_trip(frame: &Frame<'_>, limit: u32) {
    let once = written(frame);
    let (again, used) = next_frame(&once, u32::MAX).expect("our own frame").expect("a whole frame");
    assert_eq!(used, once.len());
    assert_eq!(written(&again), once);
    match frame {
        Frame::Method { method, .. } => {
            let _shows_without_panic = format!("{method:?}");
            assert!(method.sent_by_client() || method.sent_by_server());
        }
        Frame::Header { header, .. } => header_is_settled(header),
        Frame::Body { payload, .. } => {
            assert!(payload.len() + FRAME_OVERHEAD_BYTES <= limit as usize)
        }
        Frame::Heartbeat { .. } => {}
    }
}

fn header_is_settled(header: &ContentHeader<'_>) {
    let mut payload = Vec::new();
    header.encode(&mut payload);
    assert_eq!(ContentHeader::parse(&payload).expect("our own header"), *header);
}

fn written(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match frame {
        Frame::Method { channel, method } => method.encode_frame(*channel, &mut out),
        Frame::Header { channel, header } => {
            let body_bytes = header.body_size;
            let (class_id, properties) = (header.class_id, header.properties);
            leveret::wire::encode_content_header(
                &mut out, *channel, class_id, properties, body_bytes,
            );
        }
        Frame::Body { channel, payload } => {
            // A content of its own writes its body in frames of this size.
            encode_content(&mut out, *channel, 60, &[0, 0], payload, u32::MAX);
            let (_, header_bytes) = next_frame(&out, u32::MAX).expect("written").expect("whole");
            out.drain(..header_bytes);
            if payload.is_empty() {
                leveret::wire::encode_body_head(&mut out, *channel, 0);
                out.push(leveret::wire::FRAME_END);
            }
        }
        Frame::Heartbeat { .. } => encode_heartbeat(&mut out),
    }
    out
}

/// An error has a code that closes, and a text that fits a reply and shows no control characters.
fn is_told_plainly(error: &WireError) {
    assert!(matches!(error.code.code(), 501..=505), "{error:?}");
    assert!(!error.text.is_empty() && error.text.len() < 256, "{error:?}");
    assert!(!error.text.contains(char::is_control), "{error:?}");
}

fn stays_refused_when_more_comes(rest: &[u8], limit: u32, error: &WireError) {
    for more in [&b"\xce"[..], &[0; 64]] {
        let longer = [rest, more].concat();
        let found = next_frame(&longer, limit).expect_err("more bytes mend nothing");
        assert_eq!(found.code, error.code);
    }
}

fn header_is_judged_alike_however_it_comes(bytes: &[u8]) {
    let whole = protocol_header(bytes);
    for end in 0..bytes.len().min(PROTOCOL_HEADER.len()) {
        match protocol_header(&bytes[..end]) {
            HeaderCheck::NeedMore => {}
            HeaderCheck::Ok => panic!("{end} bytes are no header"),
            HeaderCheck::Wrong => assert_eq!(whole, HeaderCheck::Wrong),
        }
    }
}
