//! The keeper on the real kernel.

mod overseers;
mod runs;
mod scarcity;
mod support;
mod trees;
