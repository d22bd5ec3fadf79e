//! Where the menu is shown: on the monitors of the display card, or as text when there are none for too long.

use crate::config::MenuSettings;
use crate::menu::model::Key;
use crate::menu::model::view::{Stage, View};
use crate::menu::session::monitors::Monitors;
use crate::menu::text::TextScreens;
use crate::menu::threads::Threads;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use persona_paint::Gallery;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How long the menu waits for its card before it continues without it: amdgpu takes 5 to 10 s to load.
const FIRST_CARD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a card may be absent later: one driver may just replace another.
const CARD_TIMEOUT: Duration = Duration::from_secs(3);

/// Without a limit.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

/// How often a card that another program holds is tried again: the kernel does not report its release.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long the end of the menu waits for serial lines to close.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// The monitors and what stands in for them. Instants are times since any fixed moment.
pub(super) struct Display {
    paths: Paths,
    monitors: Monitors,
    /// Open, or failed to open, while no monitor shows the menu.
    texts: Option<TextScreens>,
    /// When the wait for a monitor ends and the menu continues as text; none while a monitor shows it.
    card_deadline: Option<Duration>,
    /// How long this wait is.
    card_timeout: Duration,
    /// When a card that was refused is tried again.
    retry_at: Option<Duration>,
    /// The threads that close serial lines; none once the display ends.
    closing: Option<Threads>,
}

impl Drop for Display {
    fn drop(&mut self) {
        self.texts = None;
        // The last picture must reach the terminals; a line that is not read is not waited for.
        if self.closing.take().is_some_and(|closing| !closing.wait(CLOSING_TIMEOUT)) {
            log::info!("a serial line takes long to close");
        }
    }
}

impl Display {
    /// A display that has shown nothing yet. `in_initramfs`, where the card's driver may be missing and text would cover the boot messages,
    /// it waits for its card until [`Self::transition`] is called.
    pub(super) fn new(paths: &Paths, monitors: Monitors, in_initramfs: bool) -> Self {
        let mut display = Self {
            paths: paths.clone(),
            monitors,
            texts: None,
            card_deadline: None,
            card_timeout: CARD_TIMEOUT,
            retry_at: None,
            closing: Some(Threads::default()),
        };
        if in_initramfs {
            (display.card_deadline, display.card_timeout) = (Some(NO_TIMEOUT), NO_TIMEOUT);
        } else {
            display.expect_card(Duration::ZERO);
        }
        display
    }

    /// The host's own drivers are available.
    pub(super) fn transition(&mut self, now: Duration) {
        self.card_timeout = CARD_TIMEOUT;
        if self.card_deadline.is_some() {
            self.expect_card(now);
        }
    }

    fn expect_card(&mut self, now: Duration) {
        self.card_deadline = Some(if self.monitors.may_come() { now + FIRST_CARD_TIMEOUT } else { now });
    }

    /// Applies other settings: draws on these cards, with these emblems.
    pub(super) fn renew(&mut self, cards: Vec<PciAddress>, gallery: Gallery, settings: &MenuSettings) {
        self.monitors.renew(cards, gallery, settings);
    }

    /// Detects the card and its monitors again.
    pub(super) fn rescan(&mut self) {
        self.monitors.rescan();
    }

    /// Gives everything back to the console.
    pub(super) fn close(&mut self) {
        self.monitors.close();
        self.texts = None;
        self.card_deadline = None;
    }

    /// Shows the view, or, if `dark`, switches the monitors off. True if a display shows it, false while a display may
    /// still come or if there will be none. A choice releases the serial lines, unless `keeps_lines`.
    pub(super) fn show(&mut self, view: &View, dark: bool, keeps_lines: bool, now: Duration) -> bool {
        if dark && self.card_deadline.is_none() {
            self.monitors.blank();
            return true;
        }
        if self.monitors.show(view, now) {
            self.texts = None;
            self.card_deadline = None;
            return true;
        }
        if now < *self.card_deadline.get_or_insert(now + self.card_timeout) {
            return false;
        }
        let Some(closing) = &self.closing else { return false };
        let texts = self.texts.get_or_insert_with(|| TextScreens::open(&self.paths, self.monitors.had_card(), closing));
        let shown = texts.show(view, now);
        // After a choice a serial line cannot pick any more, and its login starts. A settings error stays until a key is pressed.
        if !keeps_lines && !matches!(view.stage, Stage::Countdown { .. } | Stage::Waiting | Stage::Broken { .. }) {
            texts.leave_serial_lines();
        }
        shown
    }

    /// Uses idle time to draw what the next key may need; true if there is more to draw.
    pub(super) fn prepare(&mut self) -> bool {
        self.monitors.prepare()
    }

    /// Wake the loop as soon as a monitor is ready for the next frame.
    pub(super) fn wait_for_frame(&mut self) {
        self.monitors.wait_for_frame();
    }

    /// Whether a first frame may still come at `now`.
    pub(super) fn may_come(&self, now: Duration) -> bool {
        self.texts.is_none() && self.card_deadline.is_some_and(|end| now < end)
    }

    /// Whether to read keyboards: if nothing shows the menu, they type on the console.
    pub(super) fn needs_keyboards(&self) -> bool {
        self.monitors.are_open() || self.texts.as_ref().is_some_and(TextScreens::need_keyboards)
    }

    /// Tries a card again that another program held, if its retry is due.
    pub(super) fn retry(&mut self, now: Duration) {
        if !self.monitors.were_refused() {
            self.retry_at = None;
        } else if now >= *self.retry_at.get_or_insert(now + RETRY_INTERVAL) {
            self.retry_at = Some(now + RETRY_INTERVAL);
            self.monitors.rescan();
        }
    }

    /// The keys that were typed on serial lines.
    pub(super) fn pressed(&mut self, now: Duration) -> Vec<Key> {
        self.texts.iter_mut().flat_map(|texts| texts.pressed(now)).collect()
    }

    /// What to poll: readable when there is something to [`Self::show`] or [`Self::pressed`].
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.monitors.fds().chain(self.texts.iter().flat_map(TextScreens::fds))
    }

    /// When to call [`Self::show`] and [`Self::pressed`] again even without an event.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let dues = [
            self.monitors.deadline(),
            self.retry_at.or_else(|| self.monitors.were_refused().then_some(now + RETRY_INTERVAL)),
            self.texts.as_ref().and_then(TextScreens::deadline),
            self.card_deadline.filter(|_| self.texts.is_none()),
        ];
        dues.into_iter().flatten().min()
    }

    /// What shows the menu, for the log: `HDMI-A-1 1920x1080`, `tty12 80x25`.
    pub(super) fn names(&self) -> Vec<String> {
        self.monitors.names().into_iter().chain(self.texts.iter().flat_map(TextScreens::names)).collect()
    }
}
