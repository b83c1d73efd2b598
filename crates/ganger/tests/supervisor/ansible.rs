//! Ansible's module for supervisorctl, as it is: what it makes of our programs' words is what it makes of supervisord's.

use std::path::{Path, PathBuf};

use ganger_testkit::{Deadline, file_of_python_package, python_environment};

use super::script::Side;
use super::server::{Client, PASSWORD, Server, USERNAME};
use super::{OUR_DAEMON, STOCK};

/// The module, in the package of Ansible's collections.
const MODULE: &str = "ansible_collections/community/general/plugins/modules/supervisorctl.py";

/// Plays `clients/playbook.yml`, which says itself what is to come of each task.
fn play(side: Side) {
    let ganger = Path::new(env!("CARGO_BIN_EXE_ganger"));
    let bin = python_environment(ganger, &["ansible-core"]);
    let module = file_of_python_package(ganger, &bin, "ansible", MODULE);
    let server = Server::start(side.daemon);
    let playbook = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/supervisor/clients/playbook.yml");
    let variables = format!(
        "config={} client={} url=http://127.0.0.1:{} username={USERNAME} password={PASSWORD}",
        server.sandbox.path("supervisord.conf").display(),
        server.client_program(side.client),
        server.port
    );
    let (program, playbook) = (bin.join("ansible-playbook"), playbook.to_string_lossy());
    let words = [&*program.to_string_lossy(), "-i", "localhost,", "-e", &variables, &playbook];
    let library = module.parent().map(Path::as_os_str).unwrap_or_default();
    let mut running = server.sandbox.program(words).env("ANSIBLE_LIBRARY", library).start();
    let tasks = std::fs::read_to_string(&*playbook).expect("the playbook");
    // Each task has a wait of its own: all of them take long on a busy machine.
    for task in tasks.lines().filter_map(|line| line.trim_start().strip_prefix("- name: ")) {
        running.line_comes(&format!("TASK [{task}]"));
    }
    running.wait_exit(Deadline::generous());
    running.finish(Deadline::generous()).success();
}

#[test]
fn the_playbook_is_true_of_supervisord() {
    play(STOCK);
}

#[test]
fn ansible_finds_supervisord_in_our_programs() {
    play(Side { client: Client::Ours, ..OUR_DAEMON });
}
