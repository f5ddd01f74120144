//! What the graph alone decides: order, generations, sources, cycles, disabled nodes, optional
//! slots.

use super::support::Tube;
use crate::error::Error;
use crate::scheduler::epoch::Epoch;

const LAYERS: &str = "a.value > c.x, b.value > c.y, b.value > d.x, c.value > e.x, d.value > e.y";

fn generations(tube: &mut Tube) -> Vec<Vec<String>> {
    let groups = tube.core.generations();
    let name = |&item: &u32| tube.core.items.text(item).to_owned();
    groups
        .iter()
        .map(|group| group.iter().map(name).collect())
        .collect()
}

#[test]
fn a_layered_graph_runs_layer_by_layer() {
    let mut tube = Tube::new("a b c d e", LAYERS);
    let layers = [vec!["a", "b"], vec!["c", "d"], vec!["e"]];
    assert_eq!(generations(&mut tube), layers);
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), layers[0]);
    assert!(tube.emit(&epoch, "a.value b.value").is_empty());
    assert_eq!(tube.ready(&epoch), layers[1]);
    assert_eq!(tube.ready(&epoch), [""; 0], "nothing is handed out twice");
    tube.emit(&epoch, "d.value");
    assert_eq!(tube.ready(&epoch), [""; 0], "e waits for c as well");
    tube.emit(&epoch, "c.value");
    assert_eq!(tube.ready(&epoch), layers[2]);
    assert_eq!(tube.emit(&epoch, "e"), ["0"]);
}

#[test]
fn nodes_come_in_the_order_in_which_the_edges_name_them() {
    let mut tube = Tube::new(
        "lonely last z y",
        "y.value > last.x, z.value > last.y, y.other > z2.x",
    );
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), ["y", "z", "lonely"]);
}

#[test]
fn sources_depend_on_nothing_but_their_own_past() {
    let tube = Tube::new(
        "a b* c d- input",
        "input.x > c.x, a.value > e.x, b.value > e.y, meta.previous_epoch > f.x",
    );
    let sources = tube.core.source_nodes().iter();
    let mut names: Vec<&str> = sources.map(|&item| tube.core.items.text(item)).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "f"]);
}

#[test]
fn a_cycle_is_found_and_never_entered() {
    let mut tube = Tube::new("a b c", "a.v > b.x, b.v > c.x, c.v > b.y");
    assert!(tube.core.has_cycle());
    assert_eq!(generations(&mut tube), [["a"]]);
    assert!(Tube::new("a", "a.v > a.x").core.has_cycle());
    assert!(!Tube::new("a b c d e", LAYERS).core.has_cycle());
}

#[test]
fn a_disabled_node_and_what_needs_it_do_not_run() {
    let mut tube = Tube::new("a b- c", "a.value > b.x, b.value > c.x");
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), ["a"]);
    assert_eq!(tube.emit(&epoch, "a"), ["0"]);
}

#[test]
fn a_graph_in_which_nothing_can_run_has_no_epochs() {
    for (nodes, edges) in [("", ""), ("a-", ""), ("a b", "a.v > b.x, b.v > a.x")] {
        let mut tube = Tube::new(nodes, edges);
        assert_eq!(tube.core.begin(), Ok(None));
        assert!(!tube.core.is_active());
        assert!(tube.core.epoch_completed(&Epoch::root(0)));
    }
}

/// Run `a` in vain, and say what becomes ready.
fn ready_without_a(edges: &str) -> Vec<String> {
    let mut tube = Tube::new("", edges);
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), ["a"]);
    tube.emit(&epoch, "!a.v");
    tube.ready(&epoch)
}

#[test]
fn silence_cancels_what_requires_it_and_frees_what_only_wished_for_it() {
    assert_eq!(ready_without_a("a.v > b.x, b.v > c.x"), [""; 0]);
    assert_eq!(ready_without_a("a.v > b.x, a.v ? c.x, c.v > d.x"), ["c"]);
}

#[test]
fn silence_frees_the_first_optional_slot_down_each_way() {
    assert_eq!(ready_without_a("a.v > b.x, b.v > c.x, c.v ? d.x"), ["d"]);
    assert_eq!(ready_without_a("a.v > b.x, b.v ? c.x, c.v ? d.x"), ["c"]);
    assert_eq!(
        ready_without_a("a.v > b.x, b.v ? c.x, b.v ? d.x"),
        ["c", "d"]
    );
}

#[test]
fn edges_out_of_dependency_order_free_slots_as_well() {
    assert_eq!(ready_without_a("c.v ? d.x, b.v > c.x, a.v > b.x"), ["d"]);
    assert_eq!(ready_without_a("c.v ? d.x, b.v ? c.x, a.v > b.x"), ["c"]);
}

#[test]
fn an_optional_slot_waits_as_long_as_something_may_come() {
    let mut tube = Tube::new("a b c", "a.v > c.x, b.v ? c.y");
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), ["a", "b"]);
    tube.emit(&epoch, "a.v");
    assert_eq!(tube.ready(&epoch), [""; 0]);
    tube.emit(&epoch, "!b.v");
    assert_eq!(tube.ready(&epoch), ["c"]);
}

#[test]
fn a_slot_is_freed_once_however_many_are_silent() {
    let mut tube = Tube::new("", "a.v > b.x, e.v > b.y, b.v ? c.x, d.v > c.y");
    let epoch = tube.core.add_epoch();
    assert_eq!(tube.ready(&epoch), ["a", "e", "d"]);
    tube.emit(&epoch, "!a.v");
    tube.emit(&epoch, "!e.v");
    assert_eq!(tube.ready(&epoch), [""; 0], "c still needs d");
    tube.emit(&epoch, "d.v");
    assert_eq!(tube.ready(&epoch), ["c"]);
}

#[test]
fn what_was_ready_is_not_when_what_it_needs_expires() {
    let mut tube = Tube::new("", "a.v > b.x, a.v > c.x");
    let (epoch, a) = (tube.core.add_epoch(), tube.node("a"));
    tube.core.done(&epoch, a, true).expect("a has not run");
    let b = tube.node("b");
    assert!(tube.core.node_is_ready(b, &epoch, false));
    let signal = tube.signal("a.v");
    tube.core
        .expire(&epoch, signal, true, true)
        .expect("it is there");
    assert!(!tube.core.node_is_ready(b, &epoch, false));
}

#[test]
fn upstream_is_whatever_can_make_a_node_ready() {
    let mut tube = Tube::new("a b c d", "a.v > b.x, b.v > c.x, c.v ? d.x");
    let mut upstream = |id: &str| {
        let node = tube.node(id);
        let found = tube.core.upstream_nodes(node).expect(id);
        let mut names: Vec<String> = found
            .iter()
            .map(|&item| tube.core.items.text(item).to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(upstream("c"), ["b"]);
    assert_eq!(upstream("d"), ["a", "b", "c"]);
    let foreign = tube.core.items.intern_node("elsewhere");
    let text = "Node 'elsewhere' was not added".into();
    assert_eq!(
        tube.core.upstream_nodes(foreign),
        Err(Error::NotAdded(text))
    );
}
