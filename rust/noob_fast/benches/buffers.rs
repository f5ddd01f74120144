//! What a buffer costs its owner and a reader, when memory is warm.

use criterion::{Criterion, criterion_group, criterion_main};
use noob_fast::buffers::{Limits, Pool, Reader, SharedFile, Topology};
use std::hint::black_box;
use std::sync::Arc;

fn buffers(criterion: &mut Criterion) {
    let file = SharedFile::create().expect("a file");
    let reader = Reader::new(SharedFile::duplicate(file.number()).expect("its duplicate"))
        .expect("a reader");
    let pool = Pool::new(file, Limits::default(), Topology::default()).expect("a pool");
    let pool = Arc::new(pool);
    for nbytes in [100, 64 << 10, 8 << 20] {
        criterion.bench_function(&format!("acquire and release {nbytes} bytes"), |bencher| {
            bencher.iter(|| pool.acquire(black_box(nbytes)).expect("room").handle);
        });
        let buffer = pool.acquire(nbytes).expect("room");
        criterion.bench_function(&format!("open {nbytes} bytes"), |bencher| {
            bencher.iter(|| {
                reader
                    .open(black_box(&buffer.handle), false)
                    .expect("in use")
                    .pointer()
            });
        });
        criterion.bench_function(&format!("open {nbytes} bytes privately"), |bencher| {
            bencher.iter(|| {
                reader
                    .open(black_box(&buffer.handle), true)
                    .expect("in use")
                    .pointer()
            });
        });
    }
    let held: Vec<_> = (0..100_000)
        .map(|_| pool.acquire(100).expect("room"))
        .collect();
    criterion.bench_function("acquire and release among 100,000 others", |bencher| {
        bencher.iter(|| pool.acquire(black_box(100)).expect("room").handle);
    });
    drop(held);
}

criterion_group!(benches, buffers);
criterion_main!(benches);
