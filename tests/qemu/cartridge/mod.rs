//! `persona cartridge`, the real command with the real qemu-img, on machines below temporary folders.
#![allow(clippy::unwrap_used)]

mod bench;
mod killed;
mod snapshots;
mod used;
