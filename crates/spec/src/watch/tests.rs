use super::*;

fn watch(globs: &[&str], ignore: &[&str]) -> FileWatch {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let usual = USUALLY_IGNORED.iter().map(|name| (*name).to_owned());
    FileWatch {
        base: "/srv/app".into(),
        globs: owned(globs),
        ignore: usual.chain(owned(ignore)).collect(),
        debounce: USUAL_DEBOUNCE,
        signal: None,
    }
}

fn has(globs: &[&str], path: &str) -> bool {
    watch(globs, &[]).globs().has(Path::new(path))
}

#[test]
fn a_star_stands_for_letters_of_one_name_and_two_for_any_directories() {
    for (glob, path, expected) in [
        ("*.rb", "/srv/app/a.rb", true),
        ("*.rb", "/srv/app/lib/a.rb", false),
        ("lib/*.rb", "/srv/app/lib/a.rb", true),
        ("lib/*.rb", "/srv/app/lib/x/a.rb", false),
        ("lib/**/*.rb", "/srv/app/lib/a.rb", true),
        ("lib/**/*.rb", "/srv/app/lib/x/y/a.rb", true),
        ("lib/**/*.rb", "/srv/app/lib/x/y/a.py", false),
        ("**/*.rb", "/srv/app/x/y/a.rb", true),
        ("**", "/srv/app/x/y/a.rb", true),
        ("lib/?.rb", "/srv/app/lib/ab.rb", false),
        ("lib/[a-c]*.rb", "/srv/app/lib/bx.rb", true),
        ("lib/[!a-c]*.rb", "/srv/app/lib/bx.rb", false),
        ("lib/[]-].rb", "/srv/app/lib/].rb", true),
        ("{app,lib}/**/*.{rb,erb}", "/srv/app/lib/x.erb", true),
        ("{app,lib/{a,b}}/*.rb", "/srv/app/lib/b/x.rb", true),
        ("{app,lib}/**/*.{rb,erb}", "/srv/app/bin/x.erb", false),
        (r"\[id\].js", "/srv/app/[id].js", true),
        ("a*b*c", "/srv/app/abbbc", true),
        ("a*b*c", "/srv/app/abbb", false),
        ("./lib/../lib/*.rb", "/srv/app/lib/a.rb", true),
        ("../shared/*.rb", "/srv/shared/a.rb", true),
        ("/etc/app/*.conf", "/etc/app/a.conf", true),
    ] {
        assert_eq!(has(&[glob], path), expected, "{glob} {path}");
    }
}

#[test]
fn a_glob_that_ends_in_a_name_means_the_file_or_all_that_is_in_the_directory() {
    for path in ["/srv/app/config", "/srv/app/config/a.rb", "/srv/app/config/x/y.yml"] {
        assert!(has(&["config"], path) && has(&["config/"], path), "{path}");
    }
    assert!(!has(&["config"], "/srv/app/config2/a.rb"));
}

#[test]
fn letters_of_the_base_stand_for_themselves() {
    let watch = FileWatch { base: "/srv/[x]{a,b}*".into(), ..watch(&["*.rb"], &[]) };
    assert!(watch.globs().has(Path::new("/srv/[x]{a,b}*/a.rb")));
    assert!(!watch.globs().has(Path::new("/srv/xa/a.rb")));
    assert_eq!(watch.globs().roots(), [Path::new("/srv/[x]{a,b}*")]);
}

#[test]
fn what_is_seldom_meant_is_ignored_unless_a_glob_names_it() {
    for path in [
        "/srv/app/.git/index",
        "/srv/app/web/node_modules/x/index.js",
        "/srv/app/target/debug/app",
        "/srv/app/a.rb~",
        "/srv/app/.a.rb.swp",
        "/srv/app/.#a.rb",
        "/srv/app/#a.rb#",
        "/srv/app/4913",
    ] {
        assert!(!has(&["**"], path), "{path}");
    }
    assert!(has(&["target/debug/app"], "/srv/app/target/debug/app"));
    assert!(has(&[".git/HEAD"], "/srv/app/.git/HEAD"));
    assert!(!has(&["target/debug"], "/srv/app/target/debug/node_modules/x"));
    assert!(has(&["**"], "/srv/app/targets"));
}

#[test]
fn what_is_said_to_be_ignored_is_a_name_anywhere_or_one_path() {
    let globs = watch(&["app"], &["*.log", "tmp", "app/assets/**/*.css", "/srv/app/app/gen"]).globs();
    for path in ["a.log", "x/a.log", "x/tmp/a", "assets/a.css", "assets/x/a.css", "gen/a.rb"] {
        assert!(!globs.has(&Path::new("/srv/app/app").join(path)), "{path}");
    }
    for path in ["a.css", "assets/a.js", "x/gen/a.rb"] {
        assert!(globs.has(&Path::new("/srv/app/app").join(path)), "{path}");
    }
}

#[test]
fn only_directories_that_may_have_what_is_meant_are_reached() {
    let globs = watch(&["app/**/*.rb", "config/*.yml", "../shared/lib/x.rb"], &["app/gen"]).globs();
    let reaches = |path: &str| globs.reaches(Path::new(path));
    for path in ["/srv", "/srv/app", "/srv/app/app", "/srv/app/app/x/y", "/srv/app/config", "/srv/shared/lib"]
    {
        assert!(reaches(path), "{path}");
    }
    for path in ["/etc", "/srv/app/log", "/srv/app/config/x", "/srv/app/app/gen", "/srv/app/app/.git"] {
        assert!(!reaches(path), "{path}");
    }
    assert_eq!(globs.roots(), [Path::new("/srv/app"), Path::new("/srv/shared/lib")]);
    assert!(globs.names(Path::new("/srv/app/config")) && !globs.names(Path::new("/srv/app/app/x")));
}

#[test]
fn what_is_no_glob_is_told() {
    for (glob, what) in [
        ("a[b", "a `[` has no `]`"),
        ("a{b", "a `{` has no `}`"),
        ("a\\", "it ends in `\\`"),
        ("{a,../b}", "it has a `..` in braces"),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "it has too many alternatives"),
    ] {
        let problem = watch(&[glob], &[]).check().unwrap_err();
        assert_eq!(problem.message, format!("`{glob}` is no glob: {what}"));
        assert!(watch(&["x"], &[glob]).check().is_err() && problem.hint.is_some());
        assert!(!has(&[glob], "/srv/app/a"));
    }
    assert!(watch(&[&"a".repeat(5_000)], &[]).check().is_err());
    assert!(watch(&[], &[]).check().is_err());
    assert!(watch(&["a"; MAX_GLOBS], &[]).check().is_err());
    assert!(watch(&["x/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"], &[]).check().is_ok(), "256 alternatives");
    let slow = FileWatch { debounce: MAX_DEBOUNCE + Duration::from_millis(1), ..watch(&["a"], &[]) };
    assert!(slow.check().is_err());
}

#[test]
fn files_are_told_by_their_names_in_the_app() {
    let watch = watch(&["a"], &[]);
    assert_eq!(watch.told(Path::new("/srv/app/config/app.rb")), Path::new("config/app.rb"));
    assert_eq!(watch.told(Path::new("/etc/x")), Path::new("/etc/x"));
}
