//! Joins a target of `tests/fuzz` to libFuzzer: what runs an input, and what changes one. Half of the changes
//! are libFuzzer's own, which know the coverage; the other half are the target's, which know the format.

use crate::targets::random::Random;

/// libFuzzer's own change to the input in `data[..size]`; answers the new size.
pub fn change_blindly(data: &mut [u8], size: usize, bytes_max: usize) -> usize {
    libfuzzer_sys::fuzzer_mutate(data, size, bytes_max)
}

/// Changes the input in `data[..size]` as the target would; answers the new size.
pub fn change(
    target: &crate::targets::Target,
    data: &mut [u8],
    size: usize,
    bytes_max: usize,
    seed: u32,
) -> usize {
    let mut random = Random::new(u64::from(seed));
    if random.once_in(2) {
        return change_blindly(data, size, bytes_max);
    }
    let mut input = data[..size].to_vec();
    (target.change)(&mut input, &mut random);
    let size = input.len().min(bytes_max).min(data.len());
    data[..size].copy_from_slice(&input[..size]);
    size
}

/// Defines what libFuzzer calls.
macro_rules! serve {
    ($target:expr) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| { ($target.run)(input) });
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            libfuzzer::change(&$target, data, size, max_size, seed)
        });
    };
}
pub(crate) use serve;
