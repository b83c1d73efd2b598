use std::fs;

use super::*;
use crate::{Loaded, OnEnd, Options, load};

fn usual() -> OvermindOptions {
    OvermindOptions {
        port_step: 100,
        formation_port_step: 10,
        no_port: false,
        processes: Vec::new(),
        ignored: Vec::new(),
        stop_signals: BTreeMap::new(),
        shell: "sh".to_owned(),
        listen: OvermindListen::Unix("/app/.overmind.sock".into()),
        colors: vec![2, 3],
        timestamps: false,
    }
}

fn loaded(formation: Option<&str>, overmind: OvermindOptions) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Procfile"), "web: bin/web\njob: bin/job\nclock: bin/clock").unwrap();
    let formation = formation.map(str::to_owned);
    let dir = dir.path().to_owned();
    let options = Options { dir, formation, overmind: Some(Box::new(overmind)), ..Options::default() };
    load(&options).map_err(|error| error.to_string())
}

fn ports(loaded: &Loaded) -> Vec<(String, Option<u16>)> {
    let spec = &loaded.spec;
    let workers = spec
        .groups
        .iter()
        .flat_map(|group| (1..=group.count).map(|number| WorkerName::new(&group.name, number)));
    let overmind = spec.overmind.as_ref().unwrap();
    workers.map(|worker| (overmind.name(&worker), spec.port(&worker))).collect()
}

#[test]
fn ports_and_counts_are_as_overmind_has_them() {
    let one = loaded(None, usual()).unwrap();
    let expected = [("web", 5000), ("job", 5100), ("clock", 5200)];
    assert_eq!(ports(&one), expected.map(|(name, port)| (name.to_owned(), Some(port))));
    // What is not named has one, and what has none keeps its place.
    let several = loaded(Some("job=2,web=0"), usual()).unwrap();
    let expected = [("job#1", 5100), ("job#2", 5110), ("clock", 5200)];
    assert_eq!(ports(&several), expected.map(|(name, port)| (name.to_owned(), Some(port))));
    let all = loaded(Some("all=2"), OvermindOptions { ignored: vec!["job".to_owned()], ..usual() }).unwrap();
    let names: Vec<String> = ports(&all).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["web#1", "web#2", "clock#1", "clock#2"]);
    let none = loaded(None, OvermindOptions { no_port: true, ..usual() }).unwrap();
    assert_eq!(ports(&none)[0], ("web".to_owned(), None));
    let same = loaded(None, OvermindOptions { port_step: 0, ..usual() }).unwrap();
    assert_eq!(ports(&same)[2], ("clock".to_owned(), Some(5000)));
    assert_eq!(same.warnings, []);
}

#[test]
fn as_many_workers_as_ports_and_no_more() {
    assert_eq!(ports(&loaded(Some("web=10"), usual()).unwrap())[9].1, Some(5090));
    let error = loaded(Some("web=11"), usual()).unwrap_err();
    assert!(error.contains("--formation: 11 workers of `web`: the ports have room for 10"), "{error}");
    assert!(loaded(Some("all=11"), usual()).unwrap_err().contains("`web`"));
    assert!(loaded(Some("web=11"), OvermindOptions { no_port: true, ..usual() }).is_ok());
}

#[test]
fn processes_are_chosen_and_an_unknown_one_is_told_of() {
    let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let options =
        OvermindOptions { processes: only(&["web", "job", "css"]), ignored: only(&["job"]), ..usual() };
    let chosen = loaded(None, options).unwrap();
    assert_eq!(ports(&chosen), [("web".to_owned(), Some(5000))]);
    assert_eq!(chosen.warnings[0].to_string(), "--processes: no group `css`");
}

#[test]
fn a_worker_knows_its_name_and_the_ports_of_the_others() {
    let loaded = loaded(Some("job=2"), usual()).unwrap();
    let told = loaded.spec.environment(&WorkerName::new("job", 2));
    let told: Vec<String> =
        told.iter().map(|variable| format!("{}={}", variable.name, variable.value)).collect();
    let expected = [
        "PORT=5110",
        "PS=job#2",
        "GANGER_WORKER=job.2",
        "OVERMIND_PROCESS_web_PORT=5000",
        "OVERMIND_PROCESS_job_1_PORT=5100",
        "OVERMIND_PROCESS_clock_PORT=5200",
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_first_signal_is_int_and_a_shell_may_be_named() {
    let options = OvermindOptions {
        stop_signals: BTreeMap::from([("job".to_owned(), Signal::TERM)]),
        shell: "bash".to_owned(),
        ..usual()
    };
    let spec = loaded(None, options).unwrap().spec;
    assert_eq!(
        spec.groups.iter().map(|group| group.stop.signal).collect::<Vec<_>>(),
        [Signal::INT, Signal::TERM, Signal::INT]
    );
    assert_eq!(spec.groups[0].command.argv().words, ["bash", "-c", "bin/web"]);
    assert_eq!(spec.groups[0].on_end, OnEnd::Shutdown);
    let overmind = spec.overmind.unwrap();
    assert_eq!(["web", "job", "clock"].map(|group| overmind.color(group)), [2, 3, 2]);
    assert_eq!(overmind.width(), 6);
}
