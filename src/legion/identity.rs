//! The machine identity that a guest sees: the same whenever the same cartridge is inserted, so that licences, leases and interface names
//! stay valid.

/// Bytes for one purpose, derived from a cartridge's name.
fn bytes_for(purpose: &str, cartridge: &str) -> [u8; 16] {
    fnv(purpose.bytes().chain([0]).chain(cartridge.bytes())).to_be_bytes()
}

/// The FNV-1a hash with 128 bits (the Internet draft `draft-eastlake-fnv`): stable. Collision resistance is not needed.
fn fnv(bytes: impl Iterator<Item = u8>) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// A UUID of version 8, for custom schemes (RFC 9562).
pub(crate) fn uuid(cartridge: &str) -> String {
    let mut bytes = bytes_for("persona uuid", cartridge);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |range: std::ops::Range<usize>| bytes[range].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{}-{}-{}-{}-{}", hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16))
}

/// A locally administered unicast MAC address.
pub(crate) fn mac(cartridge: &str) -> String {
    let bytes = bytes_for("persona mac", cartridge);
    // FNV mixes its low bytes best.
    let tail: Vec<_> = bytes[11..].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("02:{}", tail.join(":"))
}

/// A disk's serial number; virtio-blk and NVMe both show 20 characters of it.
pub(crate) fn serial(cartridge: &str) -> String {
    bytes_for("persona disk", cartridge)[6..].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_drafts() {
        assert_eq!(fnv("a".bytes()), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn identities_are_stable_and_well_formed() {
        assert_eq!(uuid("rivendale"), uuid("rivendale"));
        assert_ne!(uuid("rivendale"), uuid("mordor"));
        assert_ne!(mac("rivendale"), mac("mordor"));
        let uuid = uuid("rivendale");
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"), "{uuid}");
        assert_eq!(mac("rivendale").len(), 17);
        assert_eq!(serial("rivendale").len(), 20);
        assert_ne!(serial("rivendale"), serial("mordor"));
    }
}
