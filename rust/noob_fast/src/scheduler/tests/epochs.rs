//! Root epochs: signals, state across epochs, exhaustion, ends and errors.

use super::support::Tube;
use crate::error::Error;
use crate::scheduler::EPOCH_LOG;
use crate::scheduler::epoch::Epoch;

#[test]
fn each_signal_has_its_own_dependents() {
    let mut tube = Tube::new("a b c", "a.left > b.x, a.right > c.x");
    let epoch = tube.core.add_epoch();
    tube.ready(&epoch);
    tube.emit(&epoch, "a.left !a.right");
    assert_eq!(tube.ready(&epoch), ["b"]);
    assert_eq!(tube.emit(&epoch, "b"), ["0"]);
}

#[test]
fn the_next_epoch_starts_when_the_sources_have_run() {
    let mut tube = Tube::new("a b", "a.v > b.x");
    let first = tube.core.add_epoch();
    tube.ready(&first);
    assert!(!tube.core.sources_finished(&first));
    tube.emit(&first, "a.v");
    assert!(tube.core.sources_finished(&first));
    assert_eq!(tube.ready(&first.next()), ["a"]);
    assert_eq!(tube.ready(&first), ["b"]);
}

#[test]
fn a_stateful_node_waits_for_its_previous_epoch() {
    let mut tube = Tube::new("a s*", "a.v > s.x");
    let (first, second) = (tube.core.add_epoch(), tube.core.add_epoch());
    assert_eq!(tube.ready(&first), ["a"]);
    assert_eq!(tube.ready(&second), ["a"]);
    tube.emit(&second, "a.v");
    assert_eq!(tube.ready(&second), [""; 0]);
    tube.emit(&first, "a.v");
    assert_eq!(tube.ready(&first), ["s"]);
    assert_eq!(tube.emit(&first, "s"), ["0"]);
    assert_eq!(tube.ready(&second), ["s"]);
}

#[test]
fn several_epochs_are_in_flight_and_end_in_any_order() {
    let mut tube = Tube::new("a b", "a.v > b.x");
    let epochs: Vec<Epoch> = (0..3).map(|_| tube.core.add_epoch()).collect();
    let a = tube.node("a");
    let ready = tube.core.get_ready();
    assert!(ready.iter().map(|(epoch, _)| epoch).eq(&epochs));
    assert!(ready.iter().all(|&(_, node)| node == a));
    for (at, first) in [(2, 0), (0, 0), (1, 1)] {
        assert_eq!(tube.core.first_active_epoch(), Some(Epoch::root(first)));
        tube.emit(&epochs[at], "a.v");
        tube.ready(&epochs[at]);
        assert_eq!(tube.emit(&epochs[at], "b"), [at.to_string()]);
        assert!(tube.core.epoch_completed(&epochs[at]));
    }
    assert_eq!(tube.core.first_active_epoch(), Some(Epoch::root(3)));
}

#[test]
fn begin_takes_the_first_active_epoch_or_a_new_one() {
    let mut tube = Tube::new("a", "");
    let first = Epoch::root(0);
    assert_eq!(tube.core.begin(), Ok(Some(first.clone())));
    assert_eq!(tube.core.begin(), Ok(Some(first.clone())));
    tube.ready(&first);
    tube.emit(&first, "a");
    assert_eq!(tube.core.begin(), Ok(Some(first.next())));
}

#[test]
fn an_exhausted_source_ends_the_epochs_to_come() {
    let mut tube = Tube::new("a b", "a.v > b.x");
    let first = tube.core.add_epoch();
    tube.ready(&first);
    assert_eq!(tube.emit(&first, "#a.v"), ["0"]);
    assert!(tube.core.exhausted);
    let error = tube.core.begin().expect_err("nothing can run");
    assert!(matches!(&error, Error::Exhausted(text) if text.contains("exhausted")));
}

#[test]
fn epochs_go_on_while_one_source_lives() {
    let mut tube = Tube::new("a b c", "a.v > c.x, b.v ? c.y");
    let first = tube.core.add_epoch();
    tube.ready(&first);
    tube.emit(&first, "a.v #b.v");
    assert!(!tube.core.exhausted);
    assert_eq!(tube.ready(&first), ["c"], "b is silent from now on");
    assert_eq!(tube.emit(&first, "c"), ["0"]);
    assert_eq!(tube.core.begin(), Ok(Some(first.next())));
}

#[test]
fn what_runs_twice_is_an_error_that_names_it() {
    let mut tube = Tube::new("a b c", "a.v > b.x, b.v > c.x");
    let epoch = tube.core.add_epoch();
    let (a, b) = (tube.node("a"), tube.node("b"));
    let foreign = tube.core.items.intern_node("elsewhere");
    tube.core.done(&epoch, a, true).expect("a has not run");
    let again =
        |what: &str| Error::AlreadyDone(format!("node(s) [{what}] were already marked done"));
    assert_eq!(tube.core.done(&epoch, a, true), Err(again(r#"Node("a")"#)));
    let signal = tube.signal("a.v");
    assert_eq!(
        tube.core.done(&epoch, signal, true),
        Err(again(r#"Signal("a", "v")"#))
    );
    assert_eq!(
        tube.core.finish_node(&epoch, b, &[signal]),
        Err(again(r#"Signal("a", "v")"#))
    );
    let unknown = r#"node(s) [Node("elsewhere")] were not added using add()"#.into();
    assert_eq!(
        tube.core.done(&epoch, foreign, true),
        Err(Error::NotAdded(unknown))
    );
}

#[test]
fn a_node_may_be_done_after_its_signals() {
    let mut tube = Tube::new("", "a.v > b.x, a.w > b.y");
    let epoch = tube.core.add_epoch();
    let (node, signal) = (tube.node("a"), tube.signal("a.v"));
    tube.core.done(&epoch, signal, true).expect("it is new");
    tube.core.done(&epoch, node, true).expect("it is new");
    assert_eq!(tube.ready(&epoch), ["b"]);
}

#[test]
fn an_epoch_is_added_once() {
    let mut tube = Tube::new("a", "");
    let epoch = Epoch::root(7);
    tube.core.add_epoch_at(&epoch).expect("it is new");
    let text = "Epoch 7 is already scheduled!".into();
    assert_eq!(
        tube.core.add_epoch_at(&epoch),
        Err(Error::EpochExists(text))
    );
    tube.core.end_epoch(&epoch).expect("it is there");
    let text = "Epoch 7 has already been completed!".into();
    assert_eq!(
        tube.core.add_epoch_at(&epoch),
        Err(Error::EpochCompleted(text))
    );
    let text = "Epoch 7 does not exist".into();
    assert_eq!(
        tube.core.epoch_state(&epoch).err(),
        Some(Error::NotAdded(text))
    );
    assert_eq!(
        tube.core.add_epoch(),
        Epoch::root(9),
        "8 was added when 7 ended"
    );
}

#[test]
fn what_an_ended_epoch_is_told_changes_nothing() {
    let mut tube = Tube::new("a", "");
    let epoch = tube.core.add_epoch();
    let a = tube.node("a");
    assert_eq!(tube.core.done(&epoch, a, true), Ok(vec![epoch.clone()]));
    assert_eq!(tube.core.done(&epoch, a, true), Ok(vec![]));
    assert_eq!(tube.core.expire(&epoch, a, true, true), Ok(vec![]));
    assert!(tube.core.node_is_done(a, &epoch));
}

#[test]
fn ended_epochs_are_forgotten_but_count_as_ended() {
    let mut tube = Tube::new("a s*", "a.v > s.x");
    let count = EPOCH_LOG as u32 + 500;
    for _ in 0..count {
        let epoch = tube
            .core
            .begin()
            .expect("not exhausted")
            .expect("a can run");
        tube.ready(&epoch);
        tube.emit(&epoch, "a.v");
        tube.ready(&epoch);
        assert_eq!(tube.emit(&epoch, "s"), [epoch.root.to_string()]);
    }
    let log = tube.core.epoch_log();
    assert_eq!(log.len(), EPOCH_LOG);
    assert_eq!((log.first(), log.last()), (Some(&500), Some(&(count - 1))));
    assert!((0..count).all(|root| tube.core.epoch_completed(&Epoch::root(root))));
    let kept: Vec<&Epoch> = tube.core.epochs.keys().collect();
    assert_eq!(kept, [&Epoch::root(count)], "the next one alone");
}

#[test]
fn any_number_of_epochs_can_end_at_once() {
    let mut tube = Tube::new("s*", "");
    let count = 100_000;
    let epochs: Vec<Epoch> = (0..count).map(|_| tube.core.add_epoch()).collect();
    let node = tube.node("s");
    for epoch in &epochs[1..] {
        assert_eq!(tube.core.expire(epoch, node, true, true), Ok(vec![]));
    }
    let ended = tube
        .core
        .expire(&epochs[0], node, true, true)
        .expect("s is there");
    assert!(ended.iter().eq(epochs.iter().rev()));
}
