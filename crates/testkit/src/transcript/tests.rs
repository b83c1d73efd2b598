use super::*;

fn played(text: &str) -> Outcome {
    let sandbox = Sandbox::new("/bin/sh");
    play(&sandbox, &Script::parse(text).expect("a script"))
}

#[test]
fn a_session_that_is_as_written_has_no_differences_and_stays_as_it_is() {
    let session = "$ cat note\nhello\n$ ls nosuch; exit 2\nls: [..]\n[exit 2]\n";
    let text = &*format!("Words.\n```file note\nhello\n```\n```console\n{session}```\n");
    let outcome = played(text);
    assert_eq!(outcome.differences, Vec::<String>::new());
    assert_eq!(outcome.blessed, text);
}

#[test]
fn a_difference_names_its_line_and_can_be_blessed() {
    let outcome = played("```console\n$ echo new\nold\n```\n");
    assert_eq!(outcome.differences, ["line 2: $ echo new\n- old\n+ new\n"]);
    assert_eq!(outcome.blessed, "```console\n$ echo new\nnew\n```\n");
}

#[test]
fn a_program_in_the_background_is_waited_for_line_by_line() {
    let text = "```console\n& sh -c 'echo ready; echo ready; exit 5'\n? rea[..]\n? ready\n? [exit 5]\n```\n";
    assert_eq!(played(text).differences, Vec::<String>::new());
}

#[test]
#[should_panic(expected = "no line like \"ready\" came")]
fn a_line_counts_once() {
    played("```console\n& sh -c 'echo ready'\n? ready\n? ready\n```\n");
}
