//! The PCI devices that are legion's: what the machine has, what would be done to it, and doing it.
