//! What the things on a picture stand for.

/// What an element stands for. Numbers count from 0 in the order of the picture; those of cartridges are the indices of
/// the view's cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKind {
    /// The mark and the name of the product.
    WordMark,
    /// The machine's name.
    HostName,
    /// How to reach the machine by SSH.
    Address,
    /// A line between two parts.
    Rule,
    /// The warning in the status line.
    Notice,
    /// A cartridge.
    Cartridge(usize),
    /// The title on a cartridge.
    CartridgeTitle(usize),
    /// The number of the key that moves to a cartridge.
    CartridgeNumber(usize),
    /// The tab on the cartridge that starts by default.
    DefaultMark(usize),
    /// The badge of a cartridge that asks for a PIN.
    LockedBadge(usize),
    /// The badge of a cartridge that cannot start.
    RefusedBadge(usize),
    /// The triangle below the highlighted cartridge.
    Pointer,
    /// The slot into which the chosen cartridge goes.
    Slot,
    /// The lamp and the lit edge of the slot.
    SlotLamp,
    /// The large line: the highlighted persona, or what happens with it.
    Title,
    /// The sign before the large line, or before a message.
    TitleSign,
    /// The line below the large one.
    Tagline,
    /// A line of the reason why something is not possible or went wrong.
    Reason(usize),
    /// A line that says what to do about the reason.
    ReasonHint(usize),
    /// The countdown's ring.
    CountdownRing,
    /// The seconds in the ring.
    CountdownNumber,
    /// The words beside the ring.
    CountdownText,
    /// A step of a launch: its sign and its name.
    Step(usize),
    /// The line that leads to a step.
    StepLine(usize),
    /// The emblem of the persona that runs.
    RunningEmblem,
    /// A key or a button.
    Keycap,
    /// What the keys before it do, along the bottom.
    KeyHint(usize),
    /// The line at the bottom of the screen without a menu.
    BottomLine,
    /// What darkens the menu below an overlay.
    Veil,
    /// The shadow of a panel.
    PanelShadow,
    /// The surface of an overlay or of a failure's message.
    Panel,
    /// The headline of a panel.
    PanelTitle,
    /// The head of a column of the help.
    HelpHead(usize),
    /// A row of the help.
    HelpRow(usize),
    /// An entry of the power menu.
    PowerEntry(usize),
    /// What surrounds the highlighted entry of the power menu, and the mark at its end.
    PowerHighlight,
    /// What an entry of the power menu does.
    PowerEntryDetail(usize),
    /// A place for a digit of the PIN, full (a box) or empty (a frame).
    PinPlace(usize),
    /// What is said of the last try of a PIN.
    PinAnswer,
    /// A key of the number pad.
    PinKey(usize),
    /// What surrounds the highlighted key of the number pad.
    PinCursor,
}

impl ElementKind {
    /// Whether it is drawn on a cartridge and moves with it.
    pub fn is_on_a_cartridge(self) -> bool {
        matches!(
            self,
            Self::CartridgeTitle(_) | Self::CartridgeNumber(_) | Self::DefaultMark(_) | Self::LockedBadge(_) | Self::RefusedBadge(_)
        )
    }
}
