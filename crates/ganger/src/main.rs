//! To come.

#[cfg_attr(not(test), expect(dead_code, reason = "the commands that print are still to come"))]
mod printer;

fn main() {}
