//! The machine that Persona was made for, and what may become of it.

use super::SHIPPED;
use super::x570::{KERNEL, MSI, X570};
use crate::address_space::Framebuffer;
use crate::cards::{rtx_2070_super, rx_560};
use crate::function::Function;
use crate::system::Vfio;
use crate::tree::Tree;

/// RX 560 for the host and RTX 2070 SUPER for legion on an X570 board, well set up: Persona has reserved the card in this boot,
/// and the menu is about to start legion. The firmware has drawn on legion's card.
pub fn reference(tree: &Tree) {
    ready(tree, Function::reserved);
}

/// The same before Persona has reserved anything, as in its initramfs: nobody drives legion's card.
pub fn unreserved(tree: &Tree) {
    ready(tree, |function| function.driver(""));
}

fn ready(tree: &Tree, legions: fn(Function) -> Function) {
    let board = X570 { tree, iommu: true, second_disk: false };
    cards(&board, legions);
    let card = format!("{}.0", board.lower_slot());
    let framebuffer = format!("{card}/simple-framebuffer.0");
    tree.drm(&framebuffer, 0, &[("Unknown-1", true)]);
    tree.framebuffer_console(&framebuffer, "simpledrmdrmfb");
    tree.address_space(Some(Framebuffer { card: &card, holder: "simpledrm" }));
    tree.kernel(KERNEL, "initrd=\\initramfs-linux.img root=/dev/nvme0n1p2 rw amd_iommu=on iommu=pt", Vfio::Modules);
    board.installed(SHIPPED);
}

/// The same with the IOMMU off in the firmware setup, and the host's drivers on all cards.
pub fn no_iommu(tree: &Tree) {
    let board = X570 { tree, iommu: false, second_disk: false };
    cards(&board, |function| function);
    let card = format!("{}.0", board.lower_slot());
    tree.drm(&card, 0, &[("DP-4", false), ("HDMI-A-2", true)]);
    tree.framebuffer_console(&card, "nouveaudrmfb");
    tree.address_space(None);
    tree.kernel(KERNEL, "initrd=\\initramfs-linux.img root=/dev/nvme0n1p2 rw", Vfio::Modules);
    board.installed(SHIPPED);
}

/// The same after a second NVMe disk was put in: all buses behind it have moved by one, and the settings are the old ones. Their
/// card's address is now the host's card's, nothing is at their USB controller's, and the host's drivers have everything.
pub fn moved(tree: &Tree) {
    let board = X570 { tree, iommu: true, second_disk: true };
    cards(&board, |function| function);
    let card = format!("{}.0", board.lower_slot());
    tree.drm(&card, 0, &[("DP-4", false), ("HDMI-A-2", true)]);
    tree.framebuffer_console(&card, "nouveaudrmfb");
    tree.address_space(None);
    tree.kernel(KERNEL, "initrd=\\initramfs-linux.img root=/dev/nvme0n1p2 rw amd_iommu=on iommu=pt", Vfio::Modules);
    board.installed(SHIPPED);
}

fn cards(board: &X570<'_>, legions: fn(Function) -> Function) {
    let host = rx_560(&board.upper_slot(), MSI);
    let [graphics, rest @ ..] = rtx_2070_super(&board.lower_slot(), MSI);
    // The firmware posted the passthrough card: the hint must not decide.
    let card = [graphics.boot_vga()].into_iter().chain(rest).map(legions);
    board.build(host, card);
    board.tree.drm(&format!("{}.0", board.upper_slot()), 1, &[("DP-1", false), ("HDMI-A-1", true), ("DVI-D-1", false)]);
}
