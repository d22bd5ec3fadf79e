//! What uses a card besides its driver: the firmware's framebuffer and the text console.

use super::host_use::Tree;
use super::machine::FramebufferOwner;
use super::read::first_line;
use crate::sys::console;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;

/// The kernel's names for the memory of a firmware framebuffer: the region itself, and the drivers that may draw on it.
const FIRMWARE_FRAMEBUFFERS: [&str; 7] = ["BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm", "efidrm", "vesadrm"];

/// Every holder with its function.
pub(super) fn holders(paths: &Paths, tree: &Tree) -> Vec<(PciAddress, FramebufferOwner)> {
    let mut found = firmware_framebuffers(&file::read_text(paths.io_memory()).unwrap_or_default());
    let framebuffer = paths.graphics_class().join("fb0");
    // The console is on the first framebuffer.
    if console::is_on_framebuffer(paths)
        && let Some(address) = tree.canonical(&framebuffer).and_then(|path| tree.functions_in(&path).last().copied())
    {
        let name = first_line(&framebuffer.join("name")).unwrap_or_else(|| "fb0".to_owned());
        found.push((address, FramebufferOwner::TextConsole(name)));
    }
    found
}

/// `/proc/iomem` is a tree by indentation: the contents of a function's region are on the lines below it. Only root sees the numbers, but
/// everybody sees the names.
fn firmware_framebuffers(io_memory: &str) -> Vec<(PciAddress, FramebufferOwner)> {
    let mut found: Vec<(PciAddress, FramebufferOwner)> = Vec::new();
    let mut above: Vec<(usize, PciAddress)> = Vec::new();
    for line in io_memory.lines() {
        let depth = line.len() - line.trim_start().len();
        let Some((_, name)) = line.split_once(" : ") else { continue };
        above.retain(|(above, _)| *above < depth);
        if let Ok(address) = name.parse() {
            above.push((depth, address));
        } else if let Some((_, address)) = above.last()
            && FIRMWARE_FRAMEBUFFERS.contains(&name)
            && found.iter().all(|(known, _)| known != address)
        {
            found.push((*address, FramebufferOwner::FirmwareFramebuffer(name.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framebuffer_belongs_to_the_function_around_it() {
        let io_memory = "\
d0000000-fec2ffff : PCI Bus 0000:00
  d0000000-e1ffffff : PCI Bus 0000:0a
    d0000000-dfffffff : 0000:0a:00.0
      d0000000-d07e8fff : BOOTFB
        d0000000-d07e8fff : efifb
    e0000000-e1ffffff : 0000:0a:00.0
  f0000000-f1ffffff : 0000:09:00.0
    f0000000-f00fffff : amdgpu
e0000000-e0ffffff : BOOTFB
nonsense
";
        let expected = ("0000:0a:00.0".parse(), FramebufferOwner::FirmwareFramebuffer("BOOTFB".to_owned()));
        let found = firmware_framebuffers(io_memory);
        assert_eq!(found.len(), 1);
        assert_eq!((Ok(found[0].0), found[0].1.clone()), expected);
    }
}
