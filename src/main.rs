//! The `persona` command.

fn main() {}
