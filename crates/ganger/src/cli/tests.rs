use super::*;

fn parsed(line: &str) -> Cli {
    match Cli::try_parse_from(line.split(' ')) {
        Ok(cli) => cli,
        Err(error) => panic!("{line}: {error}"),
    }
}

fn start(line: &str) -> StartArgs {
    match parsed(line).command {
        Some(Command::Start(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn words(args: &RunArgs) -> Vec<&str> {
    args.words.iter().map(|word| word.to_str().unwrap()).collect()
}

fn run(line: &str) -> RunArgs {
    match parsed(line).command {
        Some(Command::Run(args)) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_holds_together() {
    definition().debug_assert();
}

#[test]
fn the_app_is_named_before_or_after_the_command() {
    for line in ["ganger -f x/Procfile -d y ps", "ganger ps --file x/Procfile --root y"] {
        let place = parsed(line).place;
        assert_eq!((place.procfile, place.root), (Some("x/Procfile".into()), Some("y".into())), "{line}");
    }
    assert_eq!(parsed("ganger stop web --app shop").place.app.as_deref(), Some("shop"));
    assert!(Cli::try_parse_from(["ganger", "--app", "shop", "-d", "x", "ps"]).is_err());
}

#[test]
fn f_follows_where_there_is_something_to_follow() {
    for line in
        ["ganger logs -f web", "ganger --procfile P logs --follow web", "ganger logs -f --procfile P web"]
    {
        let cli = parsed(line);
        assert_eq!(cli.place.procfile, line.contains('P').then(|| "P".into()), "{line}");
        let Some(Command::Logs(args)) = cli.command else { panic!("{line}") };
        assert!(args.follow && args.names == ["web"], "{line}");
    }
    assert!(matches!(parsed("ganger events -f").command, Some(Command::Events(args)) if args.follow));
}

#[test]
fn start_takes_what_foreman_and_overmind_take() {
    let args =
        start("ganger start web -e a.env,b.env -m web=2,all=1 -p 3000 -t 9 --can-die web --auto-restart all");
    assert_eq!(args.names, ["web"]);
    assert_eq!(args.spec.env, [PathBuf::from("a.env"), PathBuf::from("b.env")]);
    assert_eq!(args.spec.formation.as_deref(), Some("web=2,all=1"));
    assert_eq!((args.spec.port.as_deref(), args.spec.timeout.as_deref()), (Some("3000"), Some("9")));
    assert_eq!(args.spec.can_die.as_deref(), Some("web"));
    assert_eq!(args.spec.auto_restart.as_deref(), Some("all"));
    assert!(!args.spec.any_can_die);
}

#[test]
fn the_last_word_on_colours_and_times_counts() {
    for (line, timestamps, color) in [
        ("ganger start", None, None),
        ("ganger start --timestamps -c", Some(true), Some(true)),
        ("ganger start --no-timestamp --no-color", Some(false), Some(false)),
        ("ganger start --no-color --color --timestamps --no-timestamps", Some(false), Some(true)),
    ] {
        let args = start(line);
        assert_eq!((args.wants_timestamps(), args.wants_color()), (timestamps, color), "{line}");
    }
}

#[test]
fn run_leaves_the_flags_of_a_command_to_it() {
    let args = run("ganger run -e a --port 70 ruby -e x --port 9 -- y");
    assert_eq!(words(&args), ["ruby", "-e", "x", "--port", "9", "--", "y"]);
    assert_eq!((args.env, args.worker.port), (vec![PathBuf::from("a")], Some(70)));
    assert_eq!(words(&run("ganger run -- -x")), ["-x"]);
    assert!(run("ganger run --list --json").list);
}

#[test]
fn a_scale_is_a_group_and_a_count() {
    let Some(Command::Scale(args)) = parsed("ganger scale web=3 worker=0").command else { panic!() };
    assert_eq!(args.counts, [("web".to_owned(), 3), ("worker".to_owned(), 0)]);
    for word in ["web", "=3", "web=", "web=-1", "web=x"] {
        assert!(Cli::try_parse_from(["ganger", "scale", word]).is_err(), "{word}");
    }
}

#[test]
fn a_signal_comes_after_the_names() {
    let Some(Command::Signal(args)) = parsed("ganger signal web.1 db usr1").command else { panic!() };
    assert_eq!(
        (args.names.join(" "), args.signal.to_string()),
        ("web.1 db".to_owned(), "SIGUSR1".to_owned())
    );
    for line in ["ganger signal web", "ganger signal web NOPE"] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[test]
fn an_effect_must_be_named() {
    for line in ["ganger stop", "ganger restart", "ganger scale", "ganger why"] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}
