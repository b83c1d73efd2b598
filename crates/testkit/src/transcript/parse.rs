//! The steps of a session.

/// A parsed transcript.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
}

/// One step; lines count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line that is text for people.
    Prose(String),
    /// A file of the app.
    File { name: String, lines: Vec<String> },
    /// A command and what it must print.
    Run { line: usize, command: String, expected: Vec<String> },
    /// A program in the background.
    Background { command: String },
    /// A line to wait for.
    Wait { line: usize, pattern: String },
}

/// What the lines that are being read belong to.
enum Block {
    Prose,
    Other,
    File,
    Console,
}

impl Script {
    /// Reads a transcript.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut block = Block::Prose;
        for (index, line) in text.lines().enumerate() {
            if let Some(fence) = line.strip_prefix("```") {
                steps.push(Step::Prose(line.to_owned()));
                block = match block {
                    Block::Prose => open(fence, &mut steps),
                    Block::Other | Block::File | Block::Console => Block::Prose,
                };
                continue;
            }
            match block {
                Block::Prose | Block::Other => steps.push(Step::Prose(line.to_owned())),
                Block::File => {
                    if let Some(Step::File { lines, .. }) = steps.last_mut() {
                        lines.push(line.to_owned());
                    }
                }
                Block::Console => console(index + 1, line, &mut steps)?,
            }
        }
        match block {
            Block::Prose => Ok(Self { steps }),
            Block::Other | Block::File | Block::Console => Err("the last block is not closed".to_owned()),
        }
    }
}

fn open(fence: &str, steps: &mut Vec<Step>) -> Block {
    if let Some(name) = fence.strip_prefix("file ") {
        steps.push(Step::File { name: name.to_owned(), lines: Vec::new() });
        return Block::File;
    }
    if fence == "console" { Block::Console } else { Block::Other }
}

fn console(number: usize, line: &str, steps: &mut Vec<Step>) -> Result<(), String> {
    if let Some(command) = line.strip_prefix("$ ") {
        steps.push(Step::Run { line: number, command: command.to_owned(), expected: Vec::new() });
    } else if let Some(command) = line.strip_prefix("& ") {
        steps.push(Step::Background { command: command.to_owned() });
    } else if let Some(pattern) = line.strip_prefix("? ") {
        steps.push(Step::Wait { line: number, pattern: pattern.to_owned() });
    } else if let Some(Step::Run { expected, .. }) = steps.last_mut() {
        expected.push(line.to_owned());
    } else {
        return Err(format!("line {number}: output without a command: {line}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_commands_and_waits_are_told_apart() {
        let text = "# Title\n```file a/b\none\n```\n```console\n$ cmd x\nout\n& bg\n? line\n```\n";
        let steps = Script::parse(text).expect("a script").steps;
        let prose = |text: &str| Step::Prose(text.to_owned());
        let expected = vec![
            prose("# Title"),
            prose("```file a/b"),
            Step::File { name: "a/b".into(), lines: vec!["one".into()] },
            prose("```"),
            prose("```console"),
            Step::Run { line: 6, command: "cmd x".into(), expected: vec!["out".into()] },
            Step::Background { command: "bg".into() },
            Step::Wait { line: 9, pattern: "line".into() },
            prose("```"),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn output_without_a_command_is_refused_with_its_line() {
        let error = Script::parse("```console\nstray\n```\n").expect_err("refused");
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn an_open_block_is_refused() {
        assert!(Script::parse("```console\n$ true\n").is_err());
    }
}
