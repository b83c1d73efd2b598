//! To come.

mod printer;

fn main() {}
