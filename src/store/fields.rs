//! The fields that records are made of: integers of seven bits to a byte, and bytes and texts behind their length.

use super::newer::Undecoded;

/// Takes values off the front of a payload, which makes no sense when it ends too early.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Undecoded> {
        let (&first, rest) = self.0.split_first().ok_or(Undecoded::Senseless)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn number(&mut self) -> Result<u64, Undecoded> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Undecoded::Senseless)
    }

    /// Bytes behind their count.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Undecoded> {
        let count = usize::try_from(self.number()?).map_err(|_| Undecoded::Senseless)?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Undecoded::Senseless)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Text behind the count of its bytes.
    pub(super) fn text(&mut self) -> Result<&'a str, Undecoded> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Undecoded::Senseless)
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Undecoded> {
        if self.0.is_empty() { Ok(()) } else { Err(Undecoded::Senseless) }
    }
}

/// Appends a variable integer.
pub(super) fn put_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// Appends bytes behind their count.
pub(super) fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_number(buffer, bytes.len() as u64);
    buffer.extend_from_slice(bytes);
}
