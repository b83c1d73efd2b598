//! Every configuration format in, one checked [`Spec`] out.
//!
//! Nothing past this crate knows which file a setting came from in which dialect: a Procfile, an `.env`
//! file, `.foreman` and `ganger.toml` all become the same model.

mod model;
mod signal;

pub use model::*;
pub use signal::Signal;
