//! Every action, and every way in which it goes wrong.

use std::collections::BTreeSet;

use super::script::Step::{
    self, Do, DoInAnyOrder, DoInOwnWords, DoSomehow, DoWithErrors, Ended, File, OverPort, Session, Settled,
};
use super::script::assert_alike;
use super::server::{Daemon, PASSWORD, Server, USERNAME};
use super::{OUR_CLIENT, OUR_DAEMON, STOCK};

/// What changes nothing.
pub(crate) const QUESTIONS: &[Step] = &[
    Do("status"),
    Do("status all"),
    Do("status cat pair:* nope nope:x both: nope:*"),
    Do("status pair:pair_0 both:right"),
    Do("pid"),
    Do("pid cat off nope both:left"),
    Do("pid all"),
    Do("pid both:*"),
    Do("version"),
    Do("version x"),
    Do("avail"),
    Do("avail x"),
    Do("reread"),
    Do("reread x"),
    Do("update"),
    Do("update all"),
    Do("update nope cat"),
    Do("tail loud"),
    Do("tail loud stderr"),
    Do("tail -2 loud"),
    Do("tail -3 loud STDERR"),
    Do("tail --1 loud"),
    Do("tail loud bad"),
    Do("tail -x loud"),
    Do("tail a b c d"),
    Do("tail loud a stderr"),
    Do("tail"),
    Do("tail -f"),
    Do("tail nope"),
    Do("tail both:*"),
    Do("tail silent"),
    Do("tail -f nope"),
    Do("tail -f silent stderr"),
    DoSomehow("maintail"),
    DoSomehow("maintail -100"),
    DoSomehow("maintail --0"),
    Do("maintail x"),
    Do("maintail -x"),
    Do("maintail a b"),
    Do("fg"),
    Do("fg a b"),
    Do("fg nope"),
    Do("fg off"),
    Do("fg both:*"),
    Do("open"),
    Do("open x"),
    Do("open https://x"),
    Do("open unix:///no/such/socket"),
    Do("quit"),
    Do("exit now"),
    Do("EOF"),
    Do("nope"),
    Do("stat-us x"),
    Do("!status"),
    Do("-- -x"),
];

/// What help there is.
const HELP: &[Step] = &[
    Do("help"),
    Do("?"),
    Do("help help"),
    Do("help add"),
    Do("help avail"),
    Do("help clear"),
    Do("help exit"),
    Do("help fg"),
    Do("help maintail"),
    Do("help open"),
    Do("help pid"),
    Do("help quit"),
    Do("help reload"),
    Do("help remove"),
    Do("help reread"),
    Do("help restart"),
    Do("help shutdown"),
    Do("help signal"),
    Do("help start"),
    Do("help status"),
    Do("help stop"),
    Do("?tail"),
    Do("help update"),
    Do("help version"),
    Do("help EOF"),
    Do("help nope"),
    Do("help start stop"),
];

/// The command line itself, and servers that are not there.
const COMMAND_LINE: &[Step] = &[
    Do("-x"),
    Do("--foo"),
    Do("-c"),
    Do("--serverurl"),
    Do("--h=1"),
    Do("-c no-such-file status"),
    Do("-c more/none.conf status"),
    Do("-s x status"),
    Do("-i -i status"),
    Do("-c a -c b status"),
    Do("-i version"),
    Do("-s ftp://x status"),
    Do("-s unix:///no/such/socket status"),
    Do("-s unix:///no/such/socket avail"),
    Do("-s unix:///no/such/socket start all"),
    Do("-s unix:///no/such/socket pid"),
    Do("-s unix:///no/such/socket update"),
    Do("-s unix:///no/such/socket reread"),
    Do("-s unix:///no/such/socket add x"),
    Do("-s unix:///no/such/socket tail x"),
    Do("-s unix:///no/such/socket shutdown"),
    Do("-s unix:///no/such/socket reload"),
    Do("-s http://127.0.0.1:1 status"),
    Do("-s http://127.0.0.1:1 restart x"),
    Do("-s http://127.0.0.1:1 remove x"),
    Do("-s http://127.0.0.1:1 shutdown"),
    OverPort { username: USERNAME, password: PASSWORD, words: "status" },
    OverPort { username: USERNAME, password: PASSWORD, words: "version" },
    OverPort { username: USERNAME, password: "wrong", words: "status" },
    OverPort { username: "nobody", password: PASSWORD, words: "avail" },
    OverPort { username: "", password: "", words: "tail loud" },
];

/// What does something to processes.
pub(crate) const EFFECTS: &[Step] = &[
    Do("start"),
    Do("start cat"),
    DoInAnyOrder("start off nope nope:* both:right"),
    Do("start failing"),
    Do("start missing plain"),
    DoInAnyOrder("start pair:*"),
    DoInAnyOrder("stop pair:*"),
    Do("status pair:*"),
    DoInAnyOrder("stop pair:* pair:pair_1"),
    DoInAnyOrder("start pair:* both:left"),
    Do("stop"),
    DoInAnyOrder("stop off off nope nope:*"),
    Do("stop slow"),
    Do("start slow"),
    Do("restart"),
    Do("restart cat"),
    DoInAnyOrder("restart nope both:* off"),
    Do("signal"),
    Do("signal HUP"),
    Do("signal NOPE cat"),
    DoInAnyOrder("signal 0 cat off nope nope:* pair:*"),
    DoInAnyOrder("signal 0 all"),
    DoInAnyOrder("signal sigcont both:*"),
    Do("clear"),
    Do("clear loud nope"),
    Do("tail loud"),
    DoInAnyOrder("clear all"),
    DoInAnyOrder("stop all"),
    DoInAnyOrder("stop all"),
    Do("status"),
    DoWithErrors("start all"),
    DoInAnyOrder("restart both:* cat"),
    Do("signal KILL instant"),
];

/// What changes the configuration, and the daemon.
pub(crate) const CHANGES: &[Step] = &[
    File("more/extra.conf", "[program:extra]\ncommand=/bin/cat\nstartsecs=0\n"),
    Do("reread"),
    Do("avail"),
    Do("start extra"),
    Do("add extra"),
    Do("add extra nope"),
    Do("status extra"),
    Do("remove extra"),
    Do("stop extra"),
    Do("remove extra nope"),
    Do("update"),
    Do("update"),
    File("more/extra.conf", "[program:extra]\ncommand=/bin/cat -u\nstartsecs=0\n"),
    Do("reread"),
    Do("update nope"),
    Do("update extra"),
    File("more/extra.conf", ""),
    Do("reread"),
    Do("update"),
    Do("status"),
    File("more/extra.conf", "[program:pair]\nnumprocs=3\n"),
    Do("reread"),
    Do("avail"),
    File("more/extra.conf", "[program:pair]\nnumprocs=1\n"),
    Do("reread"),
    Do("avail"),
    File("more/extra.conf", "[program:extra]\nstartsecs=0\n"),
    DoInOwnWords("reread"),
    DoInOwnWords("update"),
    File("more/extra.conf", ""),
    Do("reload x"),
    Do("reload"),
    Settled,
    Do("status"),
    Session("reload\nn\nshutdown\nno\nshutdown\n"),
    Do("shutdown x"),
    Do("shutdown"),
    Ended,
    Do("status"),
    Do("avail"),
    Do("shutdown"),
];

#[test]
fn questions_are_answered_alike() {
    assert_alike(QUESTIONS, STOCK, OUR_CLIENT);
}

#[test]
fn help_is_the_same() {
    assert_alike(HELP, STOCK, OUR_CLIENT);
}

#[test]
fn options_and_servers_that_are_away_are_told_alike() {
    assert_alike(COMMAND_LINE, STOCK, OUR_CLIENT);
}

#[test]
fn effects_on_processes_are_told_alike() {
    assert_alike(EFFECTS, STOCK, OUR_CLIENT);
}

#[test]
fn changes_of_the_configuration_and_the_end_are_told_alike() {
    assert_alike(CHANGES, STOCK, OUR_CLIENT);
}

#[test]
fn our_daemon_answers_questions_of_the_stock_client_alike() {
    assert_alike(QUESTIONS, STOCK, OUR_DAEMON);
}

#[test]
fn our_daemon_has_the_same_effects_for_the_stock_client() {
    assert_alike(EFFECTS, STOCK, OUR_DAEMON);
}

#[test]
fn our_daemon_takes_changes_of_its_configuration_alike() {
    assert_alike(CHANGES, STOCK, OUR_DAEMON);
}

/// The names of the AUTO logs of a server, without the part that is by chance.
fn auto_logs(daemon: Daemon) -> BTreeSet<String> {
    let server = Server::start(daemon);
    let entries = std::fs::read_dir(server.sandbox.path(".")).expect("the directory of the server");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let named = names.filter_map(|name| {
        let (known, chance) = name.split_once("---supervisor-")?;
        assert_eq!(chance.len(), "12345678.log".len(), "{name}");
        Some(known.to_owned())
    });
    named.collect()
}

#[test]
fn auto_logs_have_the_names_that_supervisord_gives_them() {
    let (stock, ours) = (auto_logs(Daemon::Stock), auto_logs(Daemon::Ours));
    // supervisord has those of programs, too, that have not been started.
    assert!(ours.is_subset(&stock), "{ours:?} {stock:?}");
    for name in ["cat-stdout", "cat-stderr", "pair_0-stdout", "pair_1-stderr", "left-stdout", "slow-stderr"] {
        assert!(ours.contains(name), "{name}: {ours:?}");
    }
}

/// `ganger supervisorctl` is the same as `supervisorctl`.
#[test]
fn it_is_a_command_of_ganger_too() {
    let server = Server::start(OUR_CLIENT.daemon);
    let words = ["supervisorctl", "-c", "supervisord.conf", "tail", "-4", "loud"];
    assert_eq!(server.sandbox.run(words).success(), "out\n\n");
    let wrong = server.sandbox.run(["supervisorctl", "-x"]);
    wrong.expect_code(2);
    assert!(wrong.errors.ends_with("ganger supervisorctl -h\n"), "{wrong}");
    assert!(server.sandbox.run(["supervisorctl", "-h"]).success().contains("Usage: "));
}
