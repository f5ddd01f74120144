//! What the scheduler keeps beside the epochs themselves follows from them at every moment, and
//! goes with them.

use super::support::{Draft, Random, Tube};
use crate::scheduler::Event;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::sorter::Sorter;
use std::collections::HashSet;

fn check(tube: &Tube, seed: u64) {
    let core = &tube.core;
    let roots: HashSet<u32> = core.epochs.keys().map(|epoch| epoch.root).collect();
    assert!(
        core.roots.iter().copied().collect::<HashSet<_>>() == roots,
        "seed {seed}"
    );
    for epoch in core.epochs.keys().filter(|epoch| !epoch.is_root()) {
        assert!(
            epoch
                .parents()
                .all(|parent| core.below[&parent].epochs.contains(epoch)),
            "seed {seed}: {}",
            tube.name(epoch)
        );
    }
    for (epoch, below) in &core.below {
        let which = |holds: fn(&Sorter) -> bool| -> HashSet<&Epoch> {
            below
                .epochs
                .iter()
                .filter(|it| holds(&core.epochs[it]))
                .collect()
        };
        let name = tube.name(epoch);
        assert_eq!(
            below.active,
            which(Sorter::is_active).len(),
            "seed {seed}: {name}"
        );
        assert_eq!(
            below.ready.iter().collect::<HashSet<_>>(),
            which(Sorter::has_ready),
            "seed {seed}: {name}"
        );
        let distinct: HashSet<&Epoch> = below.epochs.iter().collect();
        assert_eq!(distinct.len(), below.epochs.len(), "seed {seed}: {name}");
    }
}

/// Events of one node: mostly one an epoch, sometimes some in epochs of its own.
fn events(tube: &Tube, random: &mut Random, epoch: &Epoch, node: u32) -> Vec<Event> {
    let opens = epoch.path.len() < 2 && random.chance(15);
    let epochs: Vec<Epoch> = if opens {
        (0..=random.below(3))
            .map(|index| Epoch {
                root: epoch.root,
                path: epoch.path.iter().copied().chain([(node, index)]).collect(),
            })
            .collect()
    } else {
        vec![epoch.clone()]
    };
    let signals = tube.signals_of(node);
    let signals: Vec<Option<u32>> = if signals.is_empty() {
        vec![None]
    } else {
        signals.into_iter().map(Some).collect()
    };
    let mut events = Vec::new();
    for epoch in epochs {
        for &signal in &signals {
            events.push(Event {
                epoch: epoch.clone(),
                node,
                signal,
                no_event: random.chance(20),
                exhausted: random.chance(1),
            });
        }
    }
    events
}

#[test]
fn counts_are_right_at_every_step_and_nothing_is_left_in_the_end() {
    let mut opened = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut tube = Draft::random(&mut random, 15).tube();
        let mut open = Vec::new();
        for step in 0..200 {
            if step < 60 && random.chance(10) && !tube.core.exhausted {
                tube.core.add_epoch();
            }
            open.extend(tube.core.get_ready());
            check(&tube, seed);
            if open.is_empty() {
                break;
            }
            let (epoch, node) = random.draw(&mut open);
            if tube.core.in_progress(&epoch) {
                let events = events(&tube, &mut random, &epoch, node);
                // A contradiction is refused, and leaves the books in order all the same.
                let _ = tube.core.update(events);
                check(&tube, seed);
                opened = opened.max(tube.core.below.len());
            }
        }
        let roots: Vec<u32> = tube.core.roots.iter().copied().collect();
        tube.core.exhausted = true; // else the end of each adds the next
        for root in roots {
            if tube.core.in_progress(&Epoch::root(root)) {
                tube.core
                    .end_epoch(&Epoch::root(root))
                    .expect("it is there");
            }
            check(&tube, seed);
        }
        let core = &tube.core;
        let left = (core.epochs.len(), core.roots.len(), core.below.len());
        assert_eq!(left, (0, 0, 0), "seed {seed}");
    }
    assert!(opened > 3, "sub-epochs came, and some in others");
}
