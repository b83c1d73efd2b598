//! A worker's terminal as its viewers have it. No I/O.
//!
//! The overseer sends viewers what the worker wrote and knows nothing of screens. A [`Mirror`] keeps the screen from it, as
//! the worker's terminal would show it, and a [`Replay`] begins it with what was written before. [`Mirror::redraw`] makes a
//! terminal of the same size show the same, and a [`Painter`] one of any other size the part that fits.

mod mirror;
mod painter;
mod replay;
mod reset;

pub use mirror::Mirror;
pub use painter::Painter;
pub use replay::Replay;
pub use reset::reset;
/// The screen that a mirror keeps, what stands on it, and in which colours.
pub use vt100::{Cell, Color, Screen};
