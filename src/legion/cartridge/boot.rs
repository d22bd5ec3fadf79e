//! Detects the firmware by which a disk boots from its first sectors.

/// How many bytes of a disk are read: the master boot record, and a GUID partition table of the usual size.
pub(super) const START: u64 = 34 * SECTOR as u64;
const SECTOR: usize = 512;

/// What starts the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmwareKind {
    /// UEFI, with the cartridge's own variables.
    Uefi,
    /// Legacy BIOS.
    Bios,
}

/// `C12A7328-F81F-11D2-BA4B-00A0C93EC93B`, an EFI system partition, as a partition table stores it (UEFI specification, 5.3).
const EFI_SYSTEM_PARTITION: [u8; 16] = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// The same in a master boot record (5.2).
const EFI_SYSTEM_PARTITION_MBR: u8 = 0xef;

impl FirmwareKind {
    /// The firmware that this disk was installed for: UEFI if it has an EFI system partition. `start` is the disk's first [`START`] bytes.
    pub(super) fn of(start: &[u8]) -> Self {
        let mbr = start.get(446..510).unwrap_or_default().chunks_exact(16).any(|partition| partition[4] == EFI_SYSTEM_PARTITION_MBR);
        let is_gpt = start.get(SECTOR..SECTOR + 8) == Some(b"EFI PART".as_slice());
        let entries = start.get(2 * SECTOR..).filter(|_| is_gpt).unwrap_or_default();
        let gpt = entries.chunks_exact(128).any(|partition| partition.starts_with(&EFI_SYSTEM_PARTITION));
        if mbr || gpt { Self::Uefi } else { Self::Bios }
    }
}

/// Whether anything is installed: both kinds of partition table, and every boot sector, end with the same signature.
pub(super) fn is_installed(start: &[u8]) -> bool {
    start.get(510..SECTOR) == Some(&[0x55, 0xaa])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Vec<u8> {
        let mut disk = vec![0; START as usize];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk
    }

    #[test]
    fn an_efi_system_partition_means_uefi() {
        let mut gpt = disk();
        gpt[450] = 0xee;
        gpt[512..520].copy_from_slice(b"EFI PART");
        assert_eq!(FirmwareKind::of(&gpt), FirmwareKind::Bios, "a GUID partition table alone: it may have a BIOS boot partition");
        gpt[1024 + 128..1024 + 144].copy_from_slice(&EFI_SYSTEM_PARTITION);
        assert_eq!(FirmwareKind::of(&gpt), FirmwareKind::Uefi);
        gpt[512] = b'X';
        assert_eq!(FirmwareKind::of(&gpt), FirmwareKind::Bios, "no partition table, so no entries");
        let mut mbr = disk();
        mbr[446 + 4] = 0x83;
        assert_eq!(FirmwareKind::of(&mbr), FirmwareKind::Bios);
        mbr[462 + 4] = 0xef;
        assert_eq!(FirmwareKind::of(&mbr), FirmwareKind::Uefi);
    }

    #[test]
    fn a_blank_or_tiny_disk_is_not_installed() {
        assert!(is_installed(&disk()));
        for start in [&[][..], &[0; 511], &[0; START as usize]] {
            assert!(!is_installed(start));
            assert_eq!(FirmwareKind::of(start), FirmwareKind::Bios);
        }
    }
}
