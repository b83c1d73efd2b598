//! Plays seeds one after the other and says how many fit into a second: `soak [FIRST [COUNT [STEPS]]]`.

use ganger_simulator::{Report, run};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let first = arguments.next().unwrap_or(0);
    let count = arguments.next().unwrap_or(10_000);
    let steps = arguments.next().unwrap_or(400);
    let begun = std::time::Instant::now();
    let mut total = Report::default();
    for seed in first..first + count {
        match run(seed, steps) {
            Ok(report) => total.add(&report),
            Err(failure) => {
                eprintln!("{failure}");
                std::process::exit(1);
            }
        }
    }
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    for (mark, times) in &total.marks {
        println!("{times:>10} {mark:?}");
    }
    println!("{count} seeds, {} steps in {millis} ms: {} seeds/s", total.steps, count * 1000 / millis);
}
