//! The keeper on the real kernel.

mod attached;
mod overseers;
mod runs;
mod scarcity;
mod storms;
mod support;
mod trees;
