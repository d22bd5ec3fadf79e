//! The one virtual machine: cartridge, slot, QEMU's command line, and QEMU under supervision.
