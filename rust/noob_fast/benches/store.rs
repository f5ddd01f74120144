//! What an event costs its log, without Python: put in and found, in an epoch of 10,000 signals.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use noob_fast::store::log::Log;
use std::hint::black_box;

const SIGNALS: u32 = 10_000;

fn filled(mut log: Log<u64, ()>) -> Log<u64, ()> {
    for slot in 0..SIGNALS {
        log.put(slot, u64::from(slot), 1);
    }
    log
}

fn logs(c: &mut Criterion) {
    let mut group = c.benchmark_group("log");
    group.throughput(Throughput::Elements(u64::from(SIGNALS)));
    group.bench_function("put, dense", |b| {
        b.iter_batched(
            || Log::dense(SIGNALS as usize),
            filled,
            BatchSize::LargeInput,
        );
    });
    group.bench_function("put, sparse", |b| {
        b.iter_batched(Log::sparse, filled, BatchSize::LargeInput);
    });
    let log = filled(Log::sparse());
    group.bench_function("value", |b| {
        b.iter(|| {
            let values = (0..SIGNALS).filter_map(|slot| log.value(black_box(slot)));
            values.sum::<u64>()
        });
    });
    group.finish();
}

criterion_group!(benches, logs);
criterion_main!(benches);
