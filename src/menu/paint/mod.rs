//! The painter: a view in, pixels out.
