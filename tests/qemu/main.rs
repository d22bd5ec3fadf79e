//! legion on this host: QEMU's command lines, cartridges and domains, with the host's own QEMU and tools.

mod cartridge;
mod command_lines;
mod legion;
mod libvirt;
