//! Frames of the menu for a terminal, by its abilities.

use super::{Protocol, blocks, kitty};
use crate::error::{Context, Result};
use crate::sys::syscalls::WindowSize;
use persona_paint::{Painter, View, write_png};

/// With larger pictures a terminal is too slow to react to keys.
const MAX_SIDE: u32 = 1920;

/// The picture for half blocks is painted at this width, so that its layout is that of a screen.
const BLOCKS_WIDTH: usize = 1280;

/// One output method, at one size, with the current content of the terminal.
pub(super) enum Show {
    /// Pictures over the whole terminal, alternately as 1 and 2.
    Kitty {
        painter: Box<Painter>,
        cells: (u16, u16),
        last: Option<u32>,
    },
    Blocks {
        painter: Box<Painter>,
        side: usize,
        columns: usize,
        shown: Vec<blocks::Cell>,
    },
}

impl Show {
    /// For a terminal of this size; `painter` makes painters of a width and height.
    pub(super) fn new(protocol: Protocol, size: WindowSize, painter: &dyn Fn(u32, u32) -> Painter) -> Self {
        match protocol {
            Protocol::Kitty => {
                let (width, height) = within(size.width.into(), size.height.into());
                Self::Kitty { painter: Box::new(painter(width, height)), cells: (size.columns, size.rows), last: None }
            }
            Protocol::Blocks => {
                let (columns, rows) = (usize::from(size.columns), usize::from(size.rows));
                let side = BLOCKS_WIDTH.div_ceil(columns).max(1);
                let painter = painter((columns * side) as u32, (rows * 2 * side) as u32);
                // The painter has its own limit; a larger terminal is used in part.
                Self::Blocks { columns: painter.size().0 as usize / side, painter: Box::new(painter), side, shown: Vec::new() }
            }
        }
    }

    /// The bytes that update the terminal.
    ///
    /// # Errors
    /// When the picture cannot be encoded.
    pub(super) fn frame(&mut self, view: &View) -> Result<Vec<u8>> {
        let (Self::Kitty { painter, .. } | Self::Blocks { painter, .. }) = self;
        if painter.paint(view).is_empty() {
            return Ok(Vec::new());
        }
        Ok(match self {
            Self::Kitty { painter, cells, last } => {
                let mut png = Vec::new();
                write_png(painter, &mut png).context(|| "encoding the menu's picture".into())?;
                let id = if *last == Some(1) { 2 } else { 1 };
                kitty::picture(&png, *cells, id, last.replace(id)).into_bytes()
            }
            Self::Blocks { painter, side, columns, shown } => {
                let cells = blocks::cells(painter.pixels(), painter.size().0 as usize, *side);
                let bytes = blocks::encode(shown, &cells, *columns).into_bytes();
                *shown = cells;
                bytes
            }
        })
    }
}

/// A size of the same shape, whose longest side is within the limit.
fn within(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= MAX_SIDE { (width, height) } else { ((width * MAX_SIDE / longest).max(1), (height * MAX_SIDE / longest).max(1)) }
}
