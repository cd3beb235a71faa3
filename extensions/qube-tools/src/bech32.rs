//! The check of a bech32 address: prefix, characters and checksum, so that no mistyped address gets into a genesis.

const DIGITS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];
/// Of the original bech32, not of bech32m.
const CHECKSUM: u32 = 1;

/// The bytes of an address with this prefix.
pub(crate) fn decode(prefix: &str, address: &str) -> Option<Vec<u8>> {
    let digits = address.strip_prefix(prefix)?.strip_prefix('1')?;
    let values: Option<Vec<u8>> = digits
        .chars()
        .map(|digit| DIGITS.find(digit).and_then(|at| u8::try_from(at).ok()))
        .collect();
    let values = values.filter(|values| values.len() >= 6)?;
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied());
    if all.fold(1, step) != CHECKSUM {
        return None;
    }
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for value in &values[..values.len() - 6] {
        bits = bits << 5 | u32::from(*value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn step(sum: u32, value: u8) -> u32 {
    let top = sum >> 25;
    let shifted = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
    let used = GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1);
    used.fold(shifted, |sum, (_, generator)| sum ^ generator)
}
