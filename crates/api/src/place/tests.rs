use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn environment(runtime: &Path) -> Environment {
    let uid = rustix::process::geteuid().as_raw();
    Environment {
        runtime_dir: Some(runtime.join("run")),
        state_dir: Some(runtime.join("state")),
        uid,
        ..Environment::default()
    }
}

#[test]
fn the_id_is_the_name_of_the_directory_and_a_hash_of_its_path() {
    assert_eq!(id_of(Path::new("/srv/shop")), format!("shop-{:08x}", fnv1a(b"/srv/shop")));
    assert_eq!(fnv1a(b""), 0x811c_9dc5);
    assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    assert_ne!(id_of(Path::new("/a/shop")), id_of(Path::new("/b/shop")));
    assert!(id_of(Path::new("/")).starts_with("root-"));
    assert!(id_of(Path::new("/srv/my shop/ü b")).starts_with("--b-"));
}

#[test]
fn the_name_in_an_id_is_cut_at_its_bound() {
    let longest = "x".repeat(MAX_ID_NAME_BYTES);
    assert!(id_of(Path::new(&format!("/{longest}"))).starts_with(&format!("{longest}-")));
    assert!(id_of(Path::new(&format!("/{longest}y"))).starts_with(&format!("{longest}-")));
}

#[test]
fn the_strongest_variable_decides_where_things_are() {
    let mut environment = Environment { uid: 7, ..Environment::default() };
    assert_eq!(environment.runtime_base(), Path::new("/tmp/ganger-7"));
    assert!(matches!(environment.state_base(), Err(PlaceError::NoHome)));
    environment.home = Some("/home/me".into());
    assert_eq!(environment.state_base().unwrap(), Path::new("/home/me/.local/state/ganger"));
    environment.xdg_runtime_dir = Some("/run/user/7".into());
    environment.xdg_state_home = Some("/state".into());
    assert_eq!(environment.runtime_base(), Path::new("/run/user/7/ganger"));
    assert_eq!(environment.state_base().unwrap(), Path::new("/state/ganger"));
    environment.runtime_dir = Some("/r".into());
    environment.state_dir = Some("/s".into());
    assert_eq!(environment.runtime_base(), Path::new("/r"));
    assert_eq!(environment.state_base().unwrap(), Path::new("/s"));
}

#[test]
fn a_place_is_made_for_its_owner_alone_and_may_be_made_twice() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(dir.path());
    let place = Place::of(dir.path(), &environment).unwrap();
    place.create(&environment).unwrap();
    place.create(&environment).unwrap();
    for made in [&place.runtime, &place.state, &place.logs()] {
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700, "{}", made.display());
    }
}

#[test]
fn a_directory_that_others_could_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut environment = environment(dir.path());
    let place = Place::of(dir.path(), &environment).unwrap();
    place.create(&environment).unwrap();
    fs::set_permissions(&place.runtime, fs::Permissions::from_mode(0o770)).unwrap();
    let error = place.create(&environment).unwrap_err();
    assert!(error.to_string().ends_with("others may write to it (mode 0770)"), "{error}");
    fs::set_permissions(&place.runtime, fs::Permissions::from_mode(0o700)).unwrap();
    environment.uid += 1;
    let error = place.create(&environment).unwrap_err();
    assert!(error.to_string().contains("it belongs to user"), "{error}");
}

#[test]
fn a_planted_link_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(dir.path());
    let place = Place::of(dir.path(), &environment).unwrap();
    fs::create_dir_all(place.runtime.parent().unwrap()).unwrap();
    fs::set_permissions(place.runtime.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(dir.path(), &place.runtime).unwrap();
    assert!(place.create(&environment).unwrap_err().to_string().ends_with("it is a link"));
}

#[test]
fn a_socket_path_may_be_as_long_as_the_kernel_takes_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let fixed = format!("/{}/api.sock", id_of(&dir.path().canonicalize().unwrap())).len();
    let mut environment = environment(dir.path());
    environment.runtime_dir = Some(format!("/{}", "r".repeat(MAX_SOCKET_PATH_BYTES - fixed - 1)).into());
    assert!(Place::of(dir.path(), &environment).is_ok());
    environment.runtime_dir = Some(format!("/{}", "r".repeat(MAX_SOCKET_PATH_BYTES - fixed)).into());
    let error = Place::of(dir.path(), &environment).unwrap_err();
    assert!(error.to_string().contains("108 bytes, the kernel takes 107"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("set GANGER_RUNTIME_DIR to a shorter directory"));
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let error = Place::of(Path::new("/no/such/app"), &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with("cannot use the app's directory /no/such/app: "), "{error}");
}
