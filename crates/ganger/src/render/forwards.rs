//! The table of `ganger forwards`.

use ganger_api::{ForwardState, ForwardsInfo};

use super::human::size;
use super::table::Table;
use crate::style::Style;

/// A row for each place that lines are sent to.
pub(crate) fn forwards(info: &ForwardsInfo, style: Style) -> String {
    if info.forwards.is_empty() {
        return "nothing is forwarded\n".to_owned();
    }
    let mut table =
        Table::new(style, &["NAME", "STATE", ">LINES", ">WAITING", ">DROPPED", "GROUPS", "TO", "WHY"]);
    for forward in &info.forwards {
        let groups = if forward.groups.is_empty() { "all".to_owned() } else { forward.groups.join(",") };
        table.row([
            forward.name.clone(),
            forward.state.to_string(),
            forward.sent_lines.to_string(),
            size(forward.waiting_bytes),
            size(forward.dropped_bytes),
            groups,
            forward.to.clone(),
            forward.why.clone().unwrap_or_default(),
        ]);
        if forward.state == ForwardState::Failing {
            table.paint(1, |text| style.failure(text));
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::ForwardInfo;

    #[test]
    fn each_place_has_a_row_with_what_waits_for_it() {
        assert_eq!(forwards(&ForwardsInfo::default(), Style::PLAIN), "nothing is forwarded\n");
        let forward = ForwardInfo {
            name: "central".to_owned(),
            to: "syslog+tcp://logs:601".to_owned(),
            groups: vec!["web".to_owned(), "job".to_owned()],
            state: ForwardState::Failing,
            why: Some("Connection refused".to_owned()),
            sent_lines: 12,
            sent_bytes: 1000,
            waiting_bytes: 2048,
            dropped_bytes: 0,
        };
        let expected = "NAME     STATE    LINES  WAITING  DROPPED  GROUPS   TO                     WHY\n\
                        central  failing     12  2.0 KiB      0 B  web,job  syslog+tcp://logs:601  Connection refused\n";
        assert_eq!(forwards(&ForwardsInfo { forwards: vec![forward] }, Style::PLAIN), expected);
    }
}
