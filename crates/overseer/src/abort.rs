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

    /// Says what the process that the test starts of itself does in a thread.
    const DEED: &str = "GANGER_TEST_DEED";

    /// Runs the test below as a process of its own which does this; how it ended.
    fn signal_after(deed: &str) -> Option<i32> {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "abort::tests::a_panic_or_a_failed_allocation_in_any_thread_ends_the_process"]);
        let output = child.arg("--nocapture").env(DEED, deed).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test") && !said.contains("lives on"), "{said}");
        output.status.signal()
    }

    fn do_it(deed: &str) {
        super::on_panic();
        let joined = match deed {
            "panic" => std::thread::spawn(|| panic!("on purpose")).join(),
            _ => std::thread::spawn(|| drop(black_box(Vec::<u8>::with_capacity(isize::MAX.cast_unsigned()))))
                .join(),
        };
        println!("lives on: {joined:?}");
    }

    #[test]
    fn a_panic_or_a_failed_allocation_in_any_thread_ends_the_process() {
        if let Ok(deed) = std::env::var(DEED) {
            return do_it(&deed);
        }
        let abort = rustix::process::Signal::ABORT.as_raw();
        assert_eq!(signal_after("panic"), Some(abort));
        assert_eq!(signal_after("allocation"), Some(abort));
    }
}
