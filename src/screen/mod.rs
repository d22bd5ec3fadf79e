//! The display card: opened by PCI address, every connected output at its preferred mode, through DRM/KMS.
