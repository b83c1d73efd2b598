//! The keeper on the real kernel.

mod attached;
mod overseers;
mod runs;
mod scarcity;
mod support;
mod trees;
