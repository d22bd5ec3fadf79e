//! The "newc" archive format of initramfs images (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::io::{self, BufRead, ErrorKind, Read, sink};

/// A reader that counts its bytes.
pub(super) struct Counted<'a> {
    inner: &'a mut dyn BufRead,
    position: u64,
}

impl<'a> Counted<'a> {
    pub(super) fn new(inner: &'a mut dyn BufRead) -> Self {
        Self { inner, position: 0 }
    }

    /// Skips padding and reads the six magic bytes of what follows. `None` at the end.
    fn magic(&mut self) -> io::Result<Option<[u8; 6]>> {
        loop {
            let ahead = match self.inner.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                ahead => ahead?,
            };
            let (length, padding) = (ahead.len(), ahead.iter().take_while(|byte| **byte == 0).count());
            self.inner.consume(padding);
            self.position += padding as u64;
            if length == 0 {
                return Ok(None);
            }
            if padding < length {
                let mut magic = [0; 6];
                self.read_exact(&mut magic)?;
                return Ok(Some(magic));
            }
        }
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.by_ref().take(count), &mut sink())?;
        if skipped == count { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// What follows a sequence of archives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    End,
    /// Other data, with these first bytes, at that offset.
    Other([u8; 6], u64),
}

/// The callback for an entry: its name without a leading slash, and its contents, of which it may read as much as it wants.
pub(super) type Visit<'a> = dyn FnMut(&str, &mut dyn Read) -> io::Result<()> + 'a;

/// Reads consecutive archives until other data follows.
///
/// # Errors
/// When there is no data, or an archive is truncated.
pub(super) fn archives(input: &mut Counted<'_>, visit: &mut Visit<'_>) -> io::Result<Rest> {
    let mut is_whole = false;
    while let Some(magic) = input.magic()? {
        if !matches!(&magic, b"070701" | b"070702") {
            return Ok(Rest::Other(magic, input.position - magic.len() as u64));
        }
        is_whole = entry(input, visit)? == "TRAILER!!!";
    }
    if is_whole { Ok(Rest::End) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// An entry after its magic: twelve more numbers of eight hexadecimal digits and the checksum, the name, the contents; the
/// last two padded to four bytes, counted from the magic. Returns the name.
fn entry(input: &mut Counted<'_>, visit: &mut Visit<'_>) -> io::Result<String> {
    const MAX_NAME: u32 = 4096;
    let wrong = || io::Error::new(ErrorKind::InvalidData, "a damaged archive");
    let mut header = [0; 104];
    input.read_exact(&mut header)?;
    let field = |number: usize| -> io::Result<u32> {
        let digits = std::str::from_utf8(&header[number * 8..][..8]).map_err(|_| wrong())?;
        u32::from_str_radix(digits, 16).map_err(|_| wrong())
    };
    let (size, name_size) = (u64::from(field(6)?), field(11)?);
    // PATH_MAX includes the terminating NUL, and so does this.
    if !(1..=MAX_NAME).contains(&name_size) {
        return Err(wrong());
    }
    let mut name = vec![0; (110 + name_size as usize).next_multiple_of(4) - 110];
    input.read_exact(&mut name)?;
    name.truncate(name_size as usize - 1);
    let name = String::from_utf8_lossy(&name);
    let name = name.strip_prefix("./").unwrap_or(&name).trim_start_matches('/');
    let end = input.position + size;
    visit(name, &mut input.by_ref().take(size))?;
    input.skip(end - input.position)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use persona_recorded::archive;

    fn names(mut bytes: &[u8]) -> io::Result<(Vec<String>, Rest)> {
        let mut names = Vec::new();
        let rest = archives(&mut Counted::new(&mut bytes), &mut |name, contents| {
            let mut text = String::new();
            // The callback may not have read everything: the rest is skipped.
            contents.take(3).read_to_string(&mut text)?;
            names.push(format!("{name}={text}"));
            Ok(())
        })?;
        Ok((names, rest))
    }

    #[test]
    fn archives_in_a_row_with_padding_and_what_follows() {
        let mut bytes = archive(&[("kernel/x86/microcode/AuthenticAMD.bin", b"abcdefg")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(archive(&[("./a", b"1"), ("/bb", b""), ("ccc", b"12345")]));
        let compressed = bytes.len() as u64;
        bytes.extend(b"\x28\xb5\x2f\xfd....");
        let (names, rest) = names(&bytes).unwrap();
        let expected = ["kernel/x86/microcode/AuthenticAMD.bin=abc", "TRAILER!!!=", "a=1", "bb=", "ccc=123", "TRAILER!!!="];
        assert_eq!(names, expected);
        assert_eq!(rest, Rest::Other(*b"\x28\xb5\x2f\xfd..", compressed));
    }

    #[test]
    fn a_damaged_archive_is_an_error_wherever_it_is_cut_or_changed() {
        let whole = archive(&[("usr/bin/persona", b"binary"), ("etc/persona/persona.toml", b"[menu]")]);
        // Only padding may be missing.
        let needed = whole.len() - 3;
        for end in 0..needed {
            assert!(names(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            for byte in [0, b'f', 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = names(&changed);
            }
        }
        let mut huge = whole.clone();
        huge[54..62].copy_from_slice(b"ffffffff");
        assert!(names(&huge).is_err());
        huge[94..102].copy_from_slice(b"ffffffff");
        assert!(names(&huge).is_err());
        assert!(names(b"").is_err());
        assert!(names(b"abc").is_err());
    }
}
