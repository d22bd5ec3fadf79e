//! The commands on recorded machines, and the program as people and shells use it. Nothing boots, and no QEMU runs.

mod completion;
mod dependencies;
mod doctor;
mod layers;
mod links;
mod lock;
mod passthrough;
mod pin;
mod seeds;
mod usage;
mod writers;
