//! Unified kernel images: programs for UEFI with the initramfs in the section `.initrd` (the UAPI group's specification
//! "Unified Kernel Image", Microsoft's "PE Format").

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// The offset of the initramfs in a file, and its size: all of the file, unless it is a UEFI program.
///
/// # Errors
/// When the file cannot be read, or is a program without an initramfs in it.
pub(super) fn initrd(file: &mut File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start)?;
    if !start.starts_with(b"MZ") {
        return Ok((0, length));
    }
    let none = || io::Error::new(ErrorKind::InvalidData, "it is a program without an initramfs in it");
    let header = u64::from(number(&start, 0x3c, 4).ok_or_else(none)?);
    // Signature, then the COFF header: the number of sections at 6, the size of the optional header at 20.
    let coff = bytes_at(file, header, 24)?;
    if !coff.starts_with(b"PE\0\0") {
        return Err(none());
    }
    let (count, optional) = (number(&coff, 6, 2).ok_or_else(none)?, number(&coff, 20, 2).ok_or_else(none)?);
    let table = bytes_at(file, header + 24 + u64::from(optional), u64::from(count) * 40)?;
    let section = table.chunks_exact(40).find(|section| section.starts_with(b".initrd\0")).ok_or_else(none)?;
    // The size in memory is the true one; the size in the file is padded.
    let at = |place| number(section, place, 4).ok_or_else(none);
    Ok((at(20)?.into(), at(8)?.min(at(16)?).into()))
}

fn bytes_at(file: &mut File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.by_ref().take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u32> {
    Some(bytes.get(at..at + size)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

#[cfg(test)]
pub(super) mod tests {
    /// A program with two sections, the second with this initramfs in it.
    pub(in crate::commands::doctor::checks) fn unified(initramfs: &[u8]) -> Vec<u8> {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(0x3c, 0);
        bytes.extend(0x80_u32.to_le_bytes());
        bytes.resize(0x80, 0);
        bytes.extend(b"PE\0\0\x64\x86");
        bytes.extend(2_u16.to_le_bytes());
        bytes.resize(0x80 + 20, 0);
        bytes.extend(16_u16.to_le_bytes());
        bytes.resize(0x80 + 24 + 16, 0);
        let padded = initramfs.len().next_multiple_of(512);
        for (name, size, padded) in [(b".linux\0\0", 3, 512), (b".initrd\0", initramfs.len(), padded)] {
            let offset = if size == 3 { 0x200 } else { 0x400 };
            bytes.extend(name);
            for number in [size, 0, padded, offset, 0, 0, 0, 0] {
                bytes.extend((number as u32).to_le_bytes());
            }
        }
        bytes.resize(0x400, 0);
        bytes.extend(initramfs);
        bytes.resize(0x400 + padded, 0);
        bytes
    }
}
