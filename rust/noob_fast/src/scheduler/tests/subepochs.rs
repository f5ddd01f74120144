//! Epochs inside epochs: what opens them, what they share with those around them, when they end.

use super::support::Tube;
use crate::error::Error;

/// `m` opens sub-epochs in `CHAIN`, and `n` opens more in those.
const CHAIN: &str = "a.v > m.x, m.v > n.x, n.v > c.x";

fn at_m(nodes: &str, edges: &str) -> Tube {
    let mut tube = Tube::new(nodes, edges);
    let epoch = tube.core.add_epoch();
    tube.ready(&epoch);
    tube.emit(&epoch, "a.v");
    tube.ready(&epoch);
    tube
}

#[test]
fn events_of_sub_epochs_open_them() {
    let mut tube = at_m("a m n c", CHAIN);
    let root = tube.sub("");
    for index in 0..3 {
        let subepoch = tube.sub(&format!("m{index}"));
        assert_eq!(tube.emit(&subepoch, "m.v"), [""; 0]);
    }
    let n = tube.node("n");
    assert!(tube.core.node_is_ready(n, &root, true));
    assert!(!tube.core.node_is_ready(n, &root, false));
    assert_eq!(tube.ready(&root), ["n@m0", "n@m1", "n@m2"]);
    assert!(!tube.core.node_is_ready(n, &root, true));
    assert_eq!(tube.ready(&root), [""; 0]);
    let (m, state) = (
        tube.node("m"),
        tube.core.epoch_state(&root).expect("active").1,
    );
    assert!(
        state.done.contains(&m) && !state.ran.contains(&m),
        "expired around them"
    );
    for (index, ended) in [(1, vec!["m1"]), (0, vec!["m0"]), (2, vec!["0", "m2"])] {
        let subepoch = tube.sub(&format!("m{index}"));
        tube.emit(&subepoch, "n.v");
        assert_eq!(tube.ready(&root), [format!("c@m{index}")]);
        assert_eq!(tube.emit(&subepoch, "c"), ended);
    }
}

#[test]
fn sub_epochs_nest_and_the_root_ends_with_the_last() {
    let mut tube = at_m("a m n c", CHAIN);
    let (root, outer) = (tube.sub(""), tube.sub("m0"));
    tube.emit(&outer, "m.v");
    assert_eq!(tube.ready(&outer), ["n@m0"]);
    let inner = [tube.sub("m0 n0"), tube.sub("m0 n1")];
    for epoch in &inner {
        tube.emit(epoch, "n.v");
    }
    assert_eq!(tube.ready(&outer), ["c@m0 n0", "c@m0 n1"]);
    assert!(tube.core.is_active_at(&outer));
    assert_eq!(tube.emit(&inner[0], "c"), ["m0 n0"]);
    assert!(tube.core.is_active_at(&outer) && tube.core.is_active_at(&root));
    assert_eq!(tube.emit(&inner[1], "c"), ["0", "m0", "m0 n1"]);
    assert!(tube.core.epoch_completed(&inner[0]));
    let error = Error::EpochCompleted("Epoch (0, ('m', 7)) has already been completed!".into());
    let late = tube.sub("m7");
    assert_eq!(tube.core.add_epoch_at(&late), Err(error));
}

#[test]
fn an_inner_epoch_brings_those_around_it() {
    let mut tube = Tube::new("a m n c", CHAIN);
    let (root, inner) = (tube.sub(""), tube.sub("m1 n1"));
    tube.core.add_epoch_at(&inner).expect("it is new");
    let below = |tube: &Tube, epoch| {
        let of = tube.core.subepochs().find(|(at, _)| *at == epoch);
        of.expect("it has some")
            .1
            .iter()
            .map(|it| tube.name(it))
            .collect::<Vec<_>>()
    };
    assert_eq!(below(&tube, &root), ["m1", "m1 n1"]);
    assert_eq!(below(&tube, &tube.sub("m1")), ["m1 n1"]);
    for (epoch, opener) in [(root, "m"), (tube.sub("m1"), "n")] {
        assert!(
            tube.core
                .epoch_state(&epoch)
                .expect("active")
                .1
                .done
                .contains(&tube.node(opener))
        );
    }
}

#[test]
fn sub_epochs_know_what_has_run_around_them() {
    let mut tube = at_m("a b m c", "a.v > m.x, m.v > c.x, b.v > c.y");
    let root = tube.sub("");
    let (first, second) = (tube.sub("m0"), tube.sub("m1"));
    tube.emit(&first, "m.v");
    assert_eq!(tube.ready(&root), [""; 0], "b has not run");
    tube.emit(&root, "b.v");
    assert_eq!(tube.ready(&root), ["c@m0"]);
    tube.emit(&second, "m.v");
    assert_eq!(
        tube.ready(&root),
        ["c@m1"],
        "b ran before the sub-epoch came"
    );
}

#[test]
fn what_is_silent_around_sub_epochs_is_silent_in_them() {
    let mut tube = at_m("a b m c", "a.v > m.x, m.v > c.x, b.v ? c.y");
    let (root, first) = (tube.sub(""), tube.sub("m0"));
    tube.emit(&first, "m.v");
    assert_eq!(tube.ready(&root), [""; 0]);
    tube.emit(&root, "!b.v");
    assert_eq!(tube.ready(&root), ["c@m0"]);
}

#[test]
fn what_follows_from_the_surroundings_alone_does_not_run_in_sub_epochs() {
    // `g` gathers around the sub-epochs; `c` needs what they emit as well as what it emits.
    let mut tube = at_m(
        "a m n g c",
        "a.v > m.x, m.v > n.x, n.v > g.x, g.v > c.x, n.v > d.x",
    );
    let (root, first) = (tube.sub(""), tube.sub("m0"));
    tube.emit(&first, "m.v");
    tube.ready(&root);
    tube.emit(&first, "n.v");
    tube.emit(&root, "g.v");
    let c = tube.node("c");
    assert!(tube.core.node_is_done(tube.node("g"), &first));
    let state = tube.core.epoch_state(&first).expect("d has not run").1;
    assert!(
        state.done.contains(&c) && !state.ran.contains(&c),
        "expired, not run"
    );
}

#[test]
fn silence_ends_a_sub_epoch() {
    let mut tube = at_m("a m n c", CHAIN);
    let (first, second) = (tube.sub("m0"), tube.sub("m1"));
    tube.emit(&first, "m.v");
    tube.emit(&second, "m.v");
    tube.ready(&tube.sub(""));
    assert_eq!(tube.emit(&first, "!n.v"), ["m0"]);
    assert_eq!(tube.emit(&second, "!n.v"), ["0", "m1"]);
}

#[test]
fn sub_epochs_count_what_they_are_told_of_once() {
    let mut tube = at_m("a m n c", "a.v > m.x, m.v > n.x, b.v > c.x");
    let (root, first) = (tube.sub(""), tube.sub("m0"));
    tube.emit(&first, "m.v");
    let signal = tube.signal("b.v");
    let finished = [(); 2].map(|()| {
        tube.core
            .expire(&root, signal, true, true)
            .expect("b is there");
        let state = tube.core.epoch_state(&first).expect("active").1;
        assert!(
            state.done.contains(&signal),
            "though it concerns nothing there"
        );
        state.finished
    });
    assert_eq!(finished[0], finished[1]);
    tube.core
        .done(&root, signal, true)
        .expect("what is done around them counts, expired or not");
    let state = tube.core.epoch_state(&first).expect("active").1;
    assert!(state.ran.contains(&signal));
}

#[test]
fn an_epoch_in_which_nothing_runs_has_no_sub_epochs() {
    let mut tube = Tube::new("m- c", "m.v > c.x");
    let subepoch = tube.sub("m0");
    let error = tube.core.add_epoch_at(&subepoch).expect_err("nothing runs");
    assert!(
        matches!(&error, Error::Value(text) if text.contains("Epoch 0 ")),
        "{error}"
    );
}
