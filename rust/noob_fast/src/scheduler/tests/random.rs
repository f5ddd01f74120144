//! Random tubes, and what holds of each.

use super::support::{Draft, Random, Tube};
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::Node;
use crate::scheduler::items::Item;
use std::collections::HashSet;

/// Run an epoch in random order, every node emitting on all its signals.
fn run(tube: &mut Tube, random: &mut Random, epoch: &Epoch) -> Vec<Item> {
    let (mut open, mut order) = (Vec::new(), Vec::new());
    loop {
        let ready = tube.core.get_ready_at(epoch);
        open.extend(ready.into_iter().map(|(_, node)| node));
        if open.is_empty() {
            return order;
        }
        let node = random.draw(&mut open);
        order.push(node);
        update(tube, epoch, node);
    }
}

fn update(tube: &mut Tube, epoch: &Epoch, node: Item) -> Vec<Epoch> {
    let name = tube.core.items.text(node).to_owned();
    let signals = tube.signals_of(node);
    let mut events: Vec<String> = signals
        .iter()
        .map(|&signal| format!("{name}.{}", tube.core.items.text(signal)))
        .collect();
    if events.is_empty() {
        events.push(name);
    }
    let ended = tube.emit(epoch, &events.join(" "));
    ended
        .iter()
        .map(|root| Epoch::root(root.parse().expect("a root")))
        .collect()
}

#[test]
fn every_node_that_can_runs_once_and_after_all_that_it_needs() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut tube = Draft::random(&mut random, 30).tube();
        let epoch = tube.core.add_epoch();
        let order = run(&mut tube, &mut random, &epoch);
        let mut ran: HashSet<Item> = HashSet::new();
        for &node in &order {
            let mut needs = tube.edges.iter().filter(|edge| edge.target == node);
            assert!(needs.all(|edge| ran.contains(&edge.source)), "seed {seed}");
            assert!(ran.insert(node), "seed {seed}");
        }
        let can = |node: &&Node| {
            let mut needs = tube.edges.iter().filter(|edge| edge.target == node.item);
            node.enabled && needs.all(|edge| ran.contains(&edge.source))
        };
        assert_eq!(
            ran.len(),
            tube.nodes.iter().filter(can).count(),
            "seed {seed}"
        );
        assert!(tube.core.epoch_completed(&epoch), "seed {seed}");
    }
}

#[test]
fn finish_node_is_update() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut one = Draft::random(&mut random, 12).tube();
        let mut other = Draft::random(&mut Random::new(seed), 12).tube();
        one.core.add_epoch();
        other.core.add_epoch();
        let mut open = Vec::new();
        for _ in 0..30 {
            let ready = one.core.get_ready();
            assert_eq!(other.core.get_ready(), ready, "seed {seed}");
            open.extend(ready);
            if open.is_empty() {
                break;
            }
            let (epoch, node) = random.draw(&mut open);
            let signals = one.signals_of(node);
            let ended = one.core.finish_node(&epoch, node, &signals);
            let ended = ended.expect("it has just run");
            assert_eq!(ended, update(&mut other, &epoch, node), "seed {seed}");
            for at in [&epoch, &epoch.next()] {
                let states = [&one, &other].map(|tube| tube.core.epoch_state(at).ok());
                let [one, other] = states.map(|state| state.map(|(_, state)| state));
                assert_eq!(one, other, "seed {seed}");
            }
        }
    }
}

#[test]
fn nodes_are_done_together_as_one_by_one() {
    let (mut errors, mut ends) = (0, 0);
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut one = Draft::random(&mut random, 15).tube();
        let mut other = Draft::random(&mut Random::new(seed), 15).tube();
        let epoch = one.core.add_epoch();
        assert_eq!(other.core.add_epoch(), epoch);
        if random.chance(30) {
            let opener = one.nodes[random.below(one.nodes.len() as u32) as usize].item;
            let below = Epoch {
                root: 0,
                path: [(opener, 0)].into(),
            };
            let added = one.core.add_epoch_at(&below);
            assert_eq!(added, other.core.add_epoch_at(&below), "seed {seed}");
        }
        for _ in 0..20 {
            let ready = one.core.take_ready_of(&epoch);
            assert_eq!(other.core.take_ready_of(&epoch), ready, "seed {seed}");
            let mut batch = ready;
            if random.chance(15) {
                let any = random.below(one.nodes.len() as u32);
                let at = random.below(batch.len() as u32 + 1);
                batch.insert(at as usize, one.nodes[any as usize].item);
            }
            let together = one.core.done_all(&epoch, &batch);
            let each: crate::error::Result<Vec<Vec<Epoch>>> = batch
                .iter()
                .map(|&node| other.core.done(&epoch, node, true))
                .collect();
            let each = each.map(|ended| ended.concat());
            assert_eq!(together, each, "seed {seed}");
            errors += usize::from(each.is_err());
            ends += usize::from(each.is_ok_and(|ended| !ended.is_empty()));
            for at in [&epoch, &epoch.next()] {
                let states = [&one, &other].map(|tube| tube.core.epoch_state(at).ok());
                let [one, other] = states.map(|state| state.map(|(_, state)| state));
                assert_eq!(one, other, "seed {seed}");
            }
        }
    }
    assert!(errors > 20 && ends > 100, "both happen: {errors}, {ends}");
}
