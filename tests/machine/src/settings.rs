//! Persona's settings for the test machine: the shipped example with this machine's devices.

use crate::hardware::address;
use crate::wire::{CONSOLE_FILE, REPORT_FILE, REPORT_PORT};
use persona::error::{Context, Error, Result};
use toml_edit::{Array, DocumentMut, Table, value};

/// The shipped example, changed to what the test machine has: its two passthrough devices, little memory, one
/// processor, and a port on which the cartridges report. Personas, menu and comments stay.
///
/// # Errors
/// When the example is not what it should be.
pub fn for_machine(example: &str) -> Result<String> {
    let mut settings: DocumentMut = example.parse().context(|| "reading config/persona.toml".to_owned())?;
    let legion = settings["legion"].as_table_mut().ok_or_else(|| Error::new("config/persona.toml has no [legion]"))?;
    legion["memory"] = value("384M");
    legion["cpus"] = value(1);
    let report = format!("file,id=report,path={REPORT_FILE},append=on");
    let console = format!("file:{CONSOLE_FILE}");
    let port = format!("virtserialport,bus=serial.0,chardev=report,name={REPORT_PORT}");
    legion["extra_args"] = value(Array::from_iter(["-chardev", &report, "-device", &port, "-serial", &console]));

    let passthrough = legion["passthrough"].as_array_of_tables_mut();
    let passthrough = passthrough.ok_or_else(|| Error::new("config/persona.toml has no [[legion.passthrough]]"))?;
    passthrough.clear();
    passthrough.push(device(address::CARD, "1234:1111", "bochs-display"));
    passthrough.push(device(address::LEGION_USB, "1033:0194", "front USB"));

    let personas = settings["persona"].as_array_of_tables_mut();
    for persona in personas.into_iter().flat_map(|personas| personas.iter_mut()) {
        persona.remove("memory");
    }
    Ok(settings.to_string())
}

fn device(address: &str, id: &str, label: &str) -> Table {
    let mut table = Table::new();
    for (key, text) in [("device", address), ("id", id), ("label", label)] {
        table.insert(key, value(text));
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use persona::config::{Settings, Starts};

    #[test]
    fn they_are_valid_settings() {
        let text = for_machine(include_str!("../../../config/persona.toml")).unwrap();
        let settings = Settings::parse(&text, "machine").unwrap();
        let addresses: Vec<String> = settings.passthrough.iter().map(|device| device.device.to_string()).collect();
        assert_eq!(addresses, [address::CARD, address::LEGION_USB]);
        for persona in &settings.personas {
            if let Starts::Legion(legion) = &persona.starts {
                assert_eq!((legion.memory.mebibytes(), legion.cpus.count()), (384, 1), "{}", persona.name);
            }
        }
    }
}
