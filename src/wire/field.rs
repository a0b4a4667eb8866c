//! The protocol's field types (specification 4.2.5): how each is read from a buffer and written to one.

use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};

use super::Table;
use super::error::Flaw;

/// What is left of the input, and the value read from its head.
pub(super) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Flaw>;

/// Longest short string in bytes: its length is one octet.
pub const SHORTSTR_BYTES_MAX: usize = 255;

/// Fails for a reason that nom does not know.
#[inline]
pub(super) fn fail<'a, T>(flaw: Flaw) -> Parsed<'a, T> {
    Err(nom::Err::Error(flaw))
}

#[inline]
pub(super) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    be_u8(input)
}

#[inline]
pub(super) fn short(input: &[u8]) -> Parsed<'_, u16> {
    be_u16(input)
}

#[inline]
pub(super) fn long(input: &[u8]) -> Parsed<'_, u32> {
    be_u32(input)
}

#[inline]
pub(super) fn longlong(input: &[u8]) -> Parsed<'_, u64> {
    be_u64(input)
}

/// Seconds since the Unix epoch.
#[inline]
pub(super) fn timestamp(input: &[u8]) -> Parsed<'_, u64> {
    be_u64(input)
}

#[inline]
pub(super) fn shortstr(input: &[u8]) -> Parsed<'_, &str> {
    let (input, length) = be_u8(input)?;
    let (input, bytes) = take(length)(input)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok((input, text)),
        Err(_) => fail(Flaw::Utf8),
    }
}

#[inline]
pub(super) fn longstr(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, length) = be_u32(input)?;
    take(length)(input)
}

/// A table as a value.
#[inline]
pub(super) fn table(input: &[u8]) -> Parsed<'_, Table> {
    let (input, payload) = longstr(input)?;
    if payload.is_empty() {
        return Ok((input, Table::default()));
    }
    let table = Table::parse_flaw(payload).map_err(nom::Err::Error)?;
    Ok((input, table))
}

/// Whether bit field number `index` of its group is set; the first is the lowest (specification 4.2.5.2).
#[inline]
pub(super) fn bit(octet: u8, index: u8) -> bool {
    octet >> index & 1 == 1
}

/// Succeeds when nothing is left.
#[inline]
pub(super) fn end(input: &[u8]) -> Result<(), Flaw> {
    if input.is_empty() { Ok(()) } else { Err(Flaw::Trailing) }
}

#[inline]
pub(super) fn put_octet(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

#[inline]
pub(super) fn put_short(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(super) fn put_long(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(super) fn put_longlong(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(super) fn put_timestamp(out: &mut Vec<u8>, value: u64) {
    put_longlong(out, value);
}

/// Writes a short string. What is longer than 255 bytes is cut at a character's end: names are checked
/// where they are taken in, so that only an explanation in a close can be too long.
#[inline]
pub(super) fn put_shortstr(out: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(SHORTSTR_BYTES_MAX)];
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

#[inline]
pub(super) fn put_longstr(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

#[inline]
pub(super) fn put_table(out: &mut Vec<u8>, table: &Table) {
    table.encode(out);
}

/// Writes neighbouring bit fields into one octet, the first in the lowest bit.
#[inline]
pub(super) fn put_bits<const N: usize>(out: &mut Vec<u8>, bits: [bool; N]) {
    let octet = bits.iter().rev().fold(0, |octet, &bit| octet << 1 | u8::from(bit));
    out.push(octet);
}

/// Writes a `u32` length and what `write` appends, which is that long.
#[inline]
pub(super) fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
