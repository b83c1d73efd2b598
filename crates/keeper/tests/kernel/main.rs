//! The keeper on the real kernel.

mod adopted;
mod attached;
mod overseers;
mod runs;
mod scarcity;
mod storms;
mod support;
mod terminals;
mod trees;
mod upgrade;
