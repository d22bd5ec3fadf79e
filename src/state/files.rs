//! What the files look like.

use super::{BoundDevice, BoundDevices, Choice, Last, LegionState, MenuState, Outcome, Override, Phase, Reason};
use crate::config::document::{Checked, Lines, Record, Table, Word};

impl Word for Reason {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("picked", Self::Picked),
        ("timeout", Self::Timeout),
        ("override", Self::Override),
        ("remote", Self::Remote),
        ("fallback", Self::Fallback),
    ];
}

impl Record for Choice {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self { persona: table.need("persona", Table::string)?, reason: table.need("reason", Table::word)? })
    }

    fn write(&self, lines: &mut Lines) {
        lines.text("persona", &self.persona);
        lines.text("reason", self.reason.word());
    }
}

impl Record for Override {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self {
            persona: table.need("persona", Table::string)?,
            until_cleared: table.flag("until_cleared")?.unwrap_or_default(),
            by: table.string("by")?,
            at: table.number("at")?,
            boot: table.string("boot")?,
        })
    }

    fn write(&self, lines: &mut Lines) {
        lines.text("persona", &self.persona);
        lines.value("until_cleared", &self.until_cleared);
        if let Some(by) = &self.by {
            lines.text("by", by);
        }
        if let Some(seconds) = self.at {
            lines.value("at", &seconds);
        }
        if let Some(boot) = &self.boot {
            lines.text("boot", boot);
        }
    }
}

impl Record for Last {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self { persona: table.need("persona", Table::string)? })
    }

    fn write(&self, lines: &mut Lines) {
        lines.text("persona", &self.persona);
    }
}

impl Word for Phase {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("preparing", Self::Preparing),
        ("inserting", Self::Inserting),
        ("starting", Self::Starting),
        ("running", Self::Running),
        ("stopping", Self::Stopping),
        ("ended", Self::Ended),
        ("failed", Self::Failed),
    ];
}

impl Word for Outcome {
    const WORDS: &'static [(&'static str, Self)] =
        &[("guest-poweroff", Self::GuestPoweroff), ("stopped", Self::Stopped), ("failure", Self::Failure)];
}

impl Record for LegionState {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self {
            phase: table.need("phase", Table::word)?,
            persona: table.need("persona", Table::string)?,
            why: table.string("why")?,
            outcome: table.word("outcome")?,
            ran_s: table.number("ran_s")?,
            runs_well: table.flag("runs_well")?.unwrap_or_default(),
        })
    }

    fn write(&self, lines: &mut Lines) {
        lines.text("phase", self.phase.word());
        lines.text("persona", &self.persona);
        if let Some(why) = &self.why {
            lines.text("why", why);
        }
        if let Some(outcome) = self.outcome {
            lines.text("outcome", outcome.word());
        }
        if let Some(seconds) = self.ran_s {
            lines.value("ran_s", &seconds);
        }
        if self.runs_well {
            lines.value("runs_well", &self.runs_well);
        }
    }
}

impl Record for BoundDevices {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self { devices: table.records("device")? })
    }

    fn write(&self, lines: &mut Lines) {
        lines.tables("device", &self.devices);
    }
}

impl Record for BoundDevice {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self {
            address: table.need("address", Table::parsed)?,
            id: table.need("id", Table::string)?,
            driver_before: table.need("driver_before", Table::string)?,
            give_back: table.need("give_back", Table::flag)?,
        })
    }

    fn write(&self, lines: &mut Lines) {
        lines.text("address", &self.address.to_string());
        lines.text("id", &self.id);
        lines.text("driver_before", &self.driver_before);
        lines.value("give_back", &self.give_back);
    }
}

impl Record for MenuState {
    fn read(table: &mut Table<'_>) -> Checked<Self> {
        Ok(Self {
            first_frame_ms: table.number("first_frame_ms")?,
            outputs: table.strings("outputs")?.unwrap_or_default(),
            keyboards: table.number("keyboards")?.unwrap_or_default(),
            trouble: table.string("trouble")?,
        })
    }

    fn write(&self, lines: &mut Lines) {
        if let Some(milliseconds) = self.first_frame_ms {
            lines.value("first_frame_ms", &milliseconds);
        }
        lines.texts("outputs", &self.outputs);
        lines.value("keyboards", &self.keyboards);
        if let Some(trouble) = &self.trouble {
            lines.text("trouble", trouble);
        }
    }
}
