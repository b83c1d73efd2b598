//! The examples do what their pages say.

use std::path::Path;

use ganger_testkit::{Sandbox, free_port_run};

use crate::support::*;

/// The shop, copied: its orders are files beside it.
fn shop() -> Sandbox {
    let sandbox = sandbox();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop");
    for name in ["Procfile", "ganger.toml", ".env", "shop.py", "web.py", "worker.py", "order.py", "clock.sh"]
    {
        let text = std::fs::read_to_string(here.join(name));
        sandbox.file(name, &text.unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    sandbox
}

#[test]
fn the_shop_sells_and_loses_no_order() {
    let sandbox = shop();
    let port = free_port_run(2, 100).to_string();
    let running = sandbox.start(["start", "-p", &port]);
    running.wait_line(&format!("| open at http://127.0.0.1:{port}"));
    running.wait_lines("| ready for orders", 2);
    running.wait_lines("| invoice ", 2);
    sandbox.run(["scale", "worker=4"]).expect_code(0);
    running.wait_lines("| ready for orders", 4);
    let finished = interrupted(&sandbox, running);
    for said in ["no more customers today", "nothing half done", "closed"] {
        assert!(finished.output.contains(said), "{said}\n{finished}");
    }
    let lines = |text: &str| finished.output.lines().filter(|line| line.contains(text)).count();
    let waiting = std::fs::read_dir(sandbox.path("var/new")).map_or(0, Iterator::count);
    assert_eq!(lines("| order "), lines("| invoice ") + waiting, "{finished}");
}
