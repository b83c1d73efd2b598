//! Files of process-compose's: what is written passes `check`, and runs.

use crate::support::*;

const COMPOSE: &str = "\
version: '0.5'
name: shop
environment:
  - 'GREETING=hello'
processes:
  setup:
    command: echo set up > state
  web:
    command: 'read x < state; echo $GREETING $x from ${NAME}; echo ready; exec tail -f /dev/null'
    environment: ['NAME=${WHO:-nobody}']
    replicas: 2
    is_tty: true
    depends_on:
      setup: {condition: process_completed_successfully}
    shutdown: {signal: 2, timeout_seconds: 3}
  later:
    command: echo never
    disabled: true
";

#[test]
fn a_file_of_process_composes_is_written_as_one_that_runs() {
    let sandbox = sandbox();
    sandbox.file("process-compose.yaml", COMPOSE);
    sandbox.run(["start"]).error(&["no Procfile", "`ganger import process-compose.yaml > ganger.toml`"]);
    let text = sandbox.run(["import", "process-compose.yaml"]).success();
    assert!(text.contains("\ntty = true\n"), "{text}");
    sandbox.file("ganger.toml", &text);
    let checked = sandbox.run(["check"]).success();
    assert!(
        checked.contains("setup") && checked.contains("web") && !checked.contains("warning"),
        "{checked}"
    );
    let running = started(&sandbox, 2);
    running.wait_lines("hello set up from nobody", 2);
    assert_eq!(worker(&sandbox, "later.1")["state"], "STOPPED");
    let finished = interrupted(&sandbox, running);
    assert!(!finished.output.contains("never"), "{finished}");
}

#[test]
fn what_is_wrong_in_a_file_of_process_composes_is_told_with_its_place() {
    let sandbox = sandbox();
    sandbox.file("compose.yml", "processes:\n  web: {comand: x}\n");
    let errors =
        sandbox.run(["import", "compose.yml"]).error(&["compose.yml:2: unknown key `comand` of `web`"]);
    assert!(errors.contains("hint: did you mean `command`?"), "{errors}");
    sandbox.file("compose.yml", "processes: [web\nb: {\n");
    sandbox.run(["import", "compose.yml"]).error(&["compose.yml:", "is no YAML"]);
    sandbox.run(["check", "-f", "compose.yml"]).error(&["compose.yml: is YAML", "ganger import compose.yml"]);
    sandbox.run(["import", "nothing.yaml"]).error(&["nothing.yaml: there is no such file"]);
}
