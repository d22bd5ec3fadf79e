//! Graphics cards: all functions of each, as the driver of the usual distribution has them.
//!
//! `slot` is the folder of the slot's functions below `sys/devices` without the function's number:
//! `pci0000:00/0000:00:03.2/0000:0a:00`.

use crate::function::{Bar, Function};

/// Who made the board: the subsystem's vendor.
#[derive(Debug, Clone, Copy)]
pub struct Board(pub &'static str);

const VGA: u32 = 0x03_0000;
const AUDIO: u32 = 0x04_0300;
const XHCI: u32 = 0x0c_0330;
const UCSI: u32 = 0x0c_8000;

/// What NVIDIA cards have: registers, video memory, more registers, I/O ports, the video BIOS. Turing cannot be made larger.
const NVIDIA: [Bar; 5] = [Bar::narrow(0, 16 << 10), Bar::prefetchable(1, 256), Bar::prefetchable(3, 32), Bar::io(5, 128), Bar::rom(512)];

fn function(slot: &str, number: u8, id: &str, class: u32, board: Board) -> Function {
    Function::new(format!("{slot}.{number}"), id, class).board(board.0).revision(0xa1)
}

/// NVIDIA GeForce RTX 2070 SUPER (TU104): graphics, sound, and the USB-C port's controllers. No function has a reset of its
/// own; only the slot's bus as a whole can be reset.
pub fn rtx_2070_super(slot: &str, board: Board) -> [Function; 4] {
    let resizable = Bar::prefetchable(1, 256).resizable(0x1c0);
    [
        function(slot, 0, "10de:1e84", VGA, board).driver("nouveau").bars(&[NVIDIA[0], resizable, NVIDIA[2], NVIDIA[3], NVIDIA[4]]),
        function(slot, 1, "10de:10f8", AUDIO, board).driver("snd_hda_intel"),
        function(slot, 2, "10de:1ad8", XHCI, board).driver("xhci_hcd").bars(&[Bar::wide(0, 256), Bar::wide(3, 64)]).reset(""),
        function(slot, 3, "10de:1ad9", UCSI, board).driver("nvidia-gpu"),
    ]
}

/// AMD Radeon RX 560 (Polaris 11): graphics and sound on eight lanes, no reset.
pub fn rx_560(slot: &str, board: Board) -> [Function; 2] {
    let bars = [Bar::prefetchable(0, 256).resizable(0x1f00), Bar::prefetchable(2, 2), Bar::io(4, 256), Bar::narrow(5, 256), Bar::rom(128)];
    [
        function(slot, 0, "1002:67ef", VGA, board).lanes(8).revision(0xcf).driver("amdgpu").bars(&bars),
        function(slot, 1, "1002:aae0", AUDIO, board).revision(0).driver("snd_hda_intel").bars(&[Bar::wide(0, 16)]),
    ]
}

/// NVIDIA GeForce RTX 3060 (GA106): graphics and sound, with function-level reset.
pub fn rtx_3060(slot: &str, board: Board) -> [Function; 2] {
    ampere(slot, "10de:2504", "10de:228e", 0x7fc0, board)
}

/// NVIDIA GeForce RTX 3080 (GA102).
pub fn rtx_3080(slot: &str, board: Board) -> [Function; 2] {
    ampere(slot, "10de:2206", "10de:1aef", 0x7fc0, board)
}

/// NVIDIA GeForce RTX 3090 (GA102).
pub fn rtx_3090(slot: &str, board: Board) -> [Function; 2] {
    ampere(slot, "10de:2204", "10de:1aef", 0xffc0, board)
}

fn ampere(slot: &str, graphics: &str, audio: &str, sizes: u64, board: Board) -> [Function; 2] {
    let resizable = Bar::prefetchable(1, 256).resizable(sizes);
    let graphics = function(slot, 0, graphics, VGA, board).driver("nouveau").reset("flr");
    let bars = [NVIDIA[0], resizable, NVIDIA[2], NVIDIA[3], NVIDIA[4]];
    [graphics.bars(&bars), function(slot, 1, audio, AUDIO, board).driver("snd_hda_intel").reset("flr")]
}

/// NVIDIA Quadro P400 (GP107GL): graphics and sound, no reset.
pub fn quadro_p400(slot: &str) -> [Function; 2] {
    let board = Board("10de:11be");
    [
        function(slot, 0, "10de:1cb3", VGA, board).driver("nouveau").bars(&NVIDIA),
        function(slot, 1, "10de:0fb9", AUDIO, board).driver("snd_hda_intel"),
    ]
}

/// NVIDIA GeForce GTX 1050 Ti (GP107): graphics and sound, no reset.
pub fn gtx_1050_ti(slot: &str, board: Board) -> [Function; 2] {
    [
        function(slot, 0, "10de:1c82", VGA, board).driver("nouveau").bars(&NVIDIA),
        function(slot, 1, "10de:0fb9", AUDIO, board).driver("snd_hda_intel"),
    ]
}
