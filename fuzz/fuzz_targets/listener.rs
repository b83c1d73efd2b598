//! See `ganger_fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(target) = ganger_fuzzing::target("listener") {
        (target.check)(bytes);
    }
});
