//! Rules about the sources themselves that no compiler checks.

mod hazards;
mod rules;
mod sources;

use anyhow::{Result, bail};

use crate::command::root;

/// Fails with every place that breaks a rule.
pub(crate) fn run() -> Result<()> {
    let found = findings()?;
    if found.is_empty() {
        return Ok(());
    }
    bail!("{} untidy places:\n{}", found.len(), found.join("\n"))
}

fn findings() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let sources = sources::all(root())?;
    for source in &sources {
        rules::of_text(source, &mut found);
    }
    hazards::of_sources(&sources, &mut found);
    rules::of_project(root(), &mut found)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        assert_eq!(findings().unwrap_or_else(|error| vec![error.to_string()]), Vec::<String>::new());
    }
}
