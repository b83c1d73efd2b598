use super::*;

fn events(pieces: &[&[u8]]) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_event().unwrap() {
            events.push(event);
        }
    }
    events
}

fn line() -> LogLine {
    let json = br#"{"log":"web.1","worker":"web.1","stream":"output",
        "time":"2026-11-22T10:00:00Z","run":3,"position":7,"text":"a: b"}"#;
    serde_json::from_slice(json).unwrap()
}

#[test]
fn an_item_comes_back_however_it_is_cut_into_pieces() {
    let cursor: LogCursor = "web.1@7;worker.1@2".parse().unwrap();
    let sent = sse_log_line(Some(&cursor), &line());
    for cut in 0..sent.len() {
        let (head, tail) = sent.as_bytes().split_at(cut);
        let [event] = &events(&[head, tail])[..] else { panic!("not one event, cut at {cut}") };
        assert_eq!(event.id.as_deref(), Some("web.1@7;worker.1@2"));
        assert_eq!(event.event, "log");
        assert_eq!(serde_json::from_str::<LogLine>(&event.data).unwrap(), line());
    }
}

#[test]
fn comments_empty_events_and_unknown_fields_are_passed_over() {
    let found = events(&[b": hello\n\nretry: 5\r\n\r\ndata:one\ndata: two\nwhat\n\n"]);
    assert_eq!(found, [SseEvent { id: None, event: String::new(), data: "one\ntwo".to_owned() }]);
}

#[test]
fn lines_come_whole_and_only_when_they_are_complete() {
    let mut decoder = LineDecoder::default();
    decoder.push(b"one\ntw");
    assert_eq!(decoder.next_line(), Ok(Some(b"one".to_vec())));
    assert_eq!(decoder.next_line(), Ok(None));
    decoder.push(b"o\n\n");
    assert_eq!(decoder.next_line(), Ok(Some(b"two".to_vec())));
    assert_eq!(decoder.next_line(), Ok(Some(Vec::new())));
    assert_eq!(decoder.next_line(), Ok(None));
}

#[test]
fn a_line_may_be_as_long_as_the_bound_and_no_longer() {
    for (length, accepted) in [(MAX_ITEM_BYTES, true), (MAX_ITEM_BYTES + 1, false)] {
        let mut whole = LineDecoder::default();
        whole.push(&vec![b'x'; length]);
        assert_eq!(whole.next_line().is_ok(), accepted);
        whole.push(b"\n");
        assert_eq!(whole.next_line().is_ok(), accepted);
    }
}

#[test]
fn an_event_of_many_lines_is_bounded_too() {
    let mut decoder = SseDecoder::default();
    let half = format!("data:{}\n", "x".repeat(MAX_ITEM_BYTES / 2));
    decoder.push(half.as_bytes());
    assert_eq!(decoder.next_event(), Ok(None));
    decoder.push(half.as_bytes());
    assert_eq!(decoder.next_event(), Err(ItemTooLong));
}
