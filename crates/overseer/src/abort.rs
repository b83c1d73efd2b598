//! An overseer is whole or dead, never half alive: with one thread gone the others would go on without it, and the
//! keeper, which starts another after a death, would see none.

/// From now on a panic in any thread is the death of the process, once it is reported. What is not allocated is that
/// anyway.
pub(crate) fn on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Runs one of the tests below, as a process of its own; how it ended.
    fn signal_of(test: &str) -> Option<i32> {
        let name = format!("abort::tests::{test}");
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--ignored", "--exact", &name, "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test") && !said.contains("lives on"), "{said}");
        output.status.signal()
    }

    #[test]
    #[ignore = "it kills its process: others start it"]
    fn one_thread_panics() {
        super::on_panic();
        let joined = std::thread::spawn(|| panic!("on purpose")).join();
        println!("lives on: {joined:?}");
    }

    #[test]
    #[ignore = "it kills its process: others start it"]
    fn one_thread_gets_no_memory() {
        super::on_panic();
        let joined =
            std::thread::spawn(|| black_box(Vec::<u8>::with_capacity(isize::MAX.cast_unsigned()))).join();
        println!("lives on: {joined:?}");
    }

    #[test]
    fn a_panic_or_a_failed_allocation_in_any_thread_ends_the_process() {
        let abort = rustix::process::Signal::ABORT.as_raw();
        assert_eq!(signal_of("one_thread_panics"), Some(abort));
        assert_eq!(signal_of("one_thread_gets_no_memory"), Some(abort));
    }
}
