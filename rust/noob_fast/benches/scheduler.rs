//! What a decision costs inside Rust: a node taken and told to be done, and an epoch that comes and
//! goes without running.

mod layered;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layered::{layered, run_epoch};

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a node taken and done");
    for nodes in [10_000, 100_000] {
        let mut scheduler = layered(nodes);
        group.throughput(Throughput::Elements(nodes as u64));
        group.bench_function(nodes.to_string(), |bencher| {
            bencher.iter(|| assert_eq!(run_epoch(&mut scheduler), nodes));
        });
    }
}

/// The graph is not built again: an epoch costs a small part of what its nodes will.
fn epochs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an epoch added and ended");
    for nodes in [1_000, 10_000, 100_000] {
        let mut scheduler = layered(nodes);
        group.throughput(Throughput::Elements(nodes as u64));
        group.bench_function(nodes.to_string(), |bencher| {
            bencher.iter(|| {
                let epoch = scheduler.begin().expect("nothing is exhausted");
                scheduler.end_epoch(&epoch.expect("something can run"))
            });
        });
    }
}

criterion_group!(benches, decisions, epochs);
criterion_main!(benches);
