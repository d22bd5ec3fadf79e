//! Pictures in kitty's graphics protocol: a PNG in base64, in chunks, each in an APC sequence.

use super::base64;
use std::fmt::Write;

/// The maximum number of base64 characters in one chunk.
const CHUNK: usize = 4096;

/// Queries whether the terminal knows the protocol: asks it to check a picture of one pixel, without showing it. A terminal that does not
/// know it does not answer.
pub(super) const QUERY: &str = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\";

/// The start of the answer of one that does.
pub(super) const KNOWN: &str = "\x1b_Gi=31;OK";

/// Removes every picture.
pub(super) const CLEAR: &str = "\x1b_Ga=d,d=A,q=2\x1b\\";

/// A PNG file over the whole terminal of this many columns and rows, as picture `id` replacing picture `last`, which stays until the new
/// one is there: no flicker. The terminal sends no answer, and its cursor stays.
pub(super) fn picture(png: &[u8], (columns, rows): (u16, u16), id: u32, last: Option<u32>) -> String {
    let letters = base64::encode(png);
    let mut sequence = "\x1b[H".to_owned();
    let mut rest = letters.as_str();
    let mut is_first = true;
    while is_first || !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let more = u8::from(!after.is_empty());
        // Writing to a String cannot fail.
        let _ = match is_first {
            true => write!(sequence, "\x1b_Ga=T,f=100,t=d,i={id},c={columns},r={rows},C=1,q=2,m={more};{chunk}\x1b\\"),
            false => write!(sequence, "\x1b_Gm={more};{chunk}\x1b\\"),
        };
        (rest, is_first) = (after, false);
    }
    if let Some(last) = last {
        let _ = write!(sequence, "\x1b_Ga=d,d=I,i={last},q=2\x1b\\");
    }
    sequence
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn chunks_join_to_the_file_and_only_the_last_says_so() {
        for length in [0, 1, 3072, 3073, 10_000] {
            let file: Vec<u8> = (0..length).map(|byte: u32| (byte * 7) as u8).collect();
            let sequence = picture(&file, (80, 24), 2, Some(1));
            let parts: Vec<(&str, &str)> = sequence
                .split("\x1b_G")
                .filter_map(|part| part.strip_suffix("\x1b\\"))
                .map(|part| part.split_once(';').unwrap_or((part, "")))
                .collect();
            let (taken_away, chunks) = parts.split_last().unwrap();
            assert_eq!(taken_away.0, "a=d,d=I,i=1,q=2");
            assert!(chunks[0].0.starts_with("a=T,f=100,t=d,i=2,c=80,r=24"), "{}", chunks[0].0);
            let (last, before) = chunks.split_last().unwrap();
            assert!(last.0.ends_with("m=0") && before.iter().all(|(keys, letters)| keys.ends_with("m=1") && letters.len() == CHUNK));
            let letters: String = chunks.iter().map(|(_, letters)| *letters).collect();
            assert_eq!(base64::decode(&letters), file, "{length}");
        }
    }
}
