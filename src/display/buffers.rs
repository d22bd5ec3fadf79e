//! The memory an output shows: two buffers, one on the screen and one to draw the next frame into.

use super::card::Card;
use super::damage::Damage;
use super::transform::Transform;
use drm::buffer::DrmFourcc;
use drm::control::dumbbuffer::{DumbBuffer, DumbMapping};
use drm::control::{Device, framebuffer};
use persona_paint::Rect;
use std::io;
use std::rc::Rc;

/// The buffers of an output.
pub(super) struct Buffers {
    all: Vec<Buffer>,
    front: usize,
    damage: Damage,
    turn: Transform,
}

struct Buffer {
    card: Rc<Card>,
    memory: DumbBuffer,
    /// Mapped once: touching every page of a new mapping for every frame takes longer than copying the picture.
    map: Option<DumbMapping<'static>>,
    pitch: usize,
    framebuffer: framebuffer::Handle,
}

impl Buffers {
    /// Buffers for a mode of `size` pixels.
    ///
    /// # Errors
    /// When the card has no memory for even one; with only one there are no page flips.
    pub(super) fn new(card: &Rc<Card>, size: (u32, u32), turn: Transform) -> io::Result<Self> {
        let mut all = vec![Buffer::new(card, size)?];
        all.extend(Buffer::new(card, size).ok());
        let damage = Damage::all(all.len(), turn.picture());
        Ok(Self { all, front: 0, damage, turn })
    }

    /// Whether there is a buffer that is not on the screen.
    pub(super) fn can_flip(&self) -> bool {
        self.all.len() > 1
    }

    /// What is on the screen.
    pub(super) fn front(&self) -> framebuffer::Handle {
        self.all[self.front].framebuffer
    }

    /// A part of the picture has changed.
    pub(super) fn damaged(&mut self, rect: &Rect) {
        if let Some(rect) = self.turn.clip(rect) {
            self.damage.add(rect);
        }
    }

    /// Brings the buffer on the screen up to date with the picture. Returns what changed, in the buffer.
    pub(super) fn draw_front(&mut self, picture: &[u8]) -> Vec<Rect> {
        self.draw(self.front, picture)
    }

    /// Brings the buffer that is not on the screen up to date with the picture. Returns it, and what changed in it.
    pub(super) fn draw_back(&mut self, picture: &[u8]) -> (framebuffer::Handle, Vec<Rect>) {
        let back = self.back();
        let damage = self.draw(back, picture);
        (self.all[back].framebuffer, damage)
    }

    /// The buffer that was drawn last is on the screen now, or will be.
    pub(super) fn swap(&mut self) {
        self.front = self.back();
    }

    /// Makes the buffer on the screen black.
    pub(super) fn blacken_front(&mut self) {
        let (front, (width, height)) = (self.front, self.turn.picture());
        if let Some(map) = &mut self.all[front].map {
            map.fill(0);
        }
        self.damage.add(Rect { x: 0, y: 0, width, height });
    }

    fn back(&self) -> usize {
        (self.front + 1) % self.all.len()
    }

    fn draw(&mut self, which: usize, picture: &[u8]) -> Vec<Rect> {
        let missed = self.damage.take(which);
        let Buffer { map: Some(map), pitch, .. } = &mut self.all[which] else { return Vec::new() };
        for rect in &missed {
            self.turn.copy(picture, rect, map, *pitch);
        }
        missed.iter().map(|rect| self.turn.rect(rect)).collect()
    }
}

impl Buffer {
    fn new(card: &Rc<Card>, size: (u32, u32)) -> io::Result<Self> {
        let memory = card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32)?;
        let destroy = || {
            let _ = card.destroy_dumb_buffer(memory);
        };
        let framebuffer = card.add_framebuffer(&memory, 24, 32).inspect_err(|_| destroy())?;
        // The mapping borrows the description of the buffer: a few words, leaked so that it lives long enough.
        let map = card.map_dumb_buffer(Box::leak(Box::new(memory))).inspect_err(|_| {
            let _ = card.destroy_framebuffer(framebuffer);
            destroy();
        })?;
        let pitch = drm::buffer::Buffer::pitch(&memory) as usize;
        Ok(Self { card: Rc::clone(card), memory, map: Some(map), pitch, framebuffer })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.map = None;
        let _ = self.card.destroy_framebuffer(self.framebuffer);
        let _ = self.card.destroy_dumb_buffer(self.memory);
    }
}
