//! The allocator by itself: what is in use never overlaps, and all comes back.

use super::classes::{SMALL, class, slab};
use super::memory::{Access, MEMORY, PAGE, SharedFile};
use super::table::{LINES, data};
use super::topology::Topology;
use super::{Buffer, Handle, Limits, Pool, Reader};
use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

fn pool_with(limits: Limits) -> Arc<Pool> {
    let file = SharedFile::create().unwrap();
    Arc::new(Pool::new(file, limits, Topology::default()).unwrap())
}

fn pool() -> Arc<Pool> {
    pool_with(Limits::default())
}

fn reader(pool: &Pool) -> Reader {
    Reader::new(SharedFile::duplicate(pool.file().number()).unwrap()).unwrap()
}

/// Numbers that look random, and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn what_is_in_use_never_overlaps_and_all_comes_back() {
    for seed in 0..20 {
        let (pool, mut random) = (pool(), Random(seed));
        let mut live: Vec<Buffer> = Vec::new();
        let mut spans: BTreeMap<u64, u64> = BTreeMap::new();
        for _ in 0..400 {
            if random.below(3) == 0 && !live.is_empty() {
                let buffer = live.swap_remove(random.below(live.len() as u64) as usize);
                spans.remove(&buffer.handle.offset);
                continue;
            }
            let most = [100, 5_000, SMALL + 5_000, 1 << 20][random.below(4) as usize];
            let buffer = pool.acquire(random.below(most)).unwrap();
            let (begin, end) = (
                buffer.handle.offset,
                buffer.handle.offset + buffer.handle.nbytes,
            );
            assert!(begin >= data() && begin.is_multiple_of(64));
            let before = spans.range(..=begin).next_back();
            assert!(before.is_none_or(|(_, &end)| end <= begin));
            assert!(
                spans
                    .range(begin + 1..)
                    .next()
                    .is_none_or(|(&next, _)| end <= next)
            );
            assert!(spans.insert(begin, end.max(begin + 1)).is_none());
            live.push(buffer);
        }
        let asked: u64 = live.iter().map(|buffer| buffer.handle.nbytes).sum();
        let stats = pool.stats().unwrap();
        assert_eq!((stats.buffers, stats.asked), (live.len() as u64, asked));
        drop(live);
        let stats = pool.stats().unwrap();
        assert_eq!((stats.buffers, stats.asked, stats.live), (0, 0, 0));
        pool.trim().unwrap();
        assert_eq!(pool.stats().unwrap().spare, 0);
    }
}

#[test]
fn handles_are_good_until_they_are_released_and_never_again() {
    let pool = pool();
    let reader = reader(&pool);
    for nbytes in [0, 1, 64, SMALL, SMALL + 1, 8 << 20] {
        let buffer = pool.acquire(nbytes).unwrap();
        let handle = buffer.handle;
        assert_eq!(reader.open(&handle, false).unwrap().length as u64, nbytes);
        for forged in [
            Handle {
                generation: handle.generation + 1,
                ..handle
            },
            Handle {
                generation: 0,
                ..handle
            },
            Handle {
                nbytes: nbytes + 1,
                ..handle
            },
            Handle {
                offset: handle.offset + 64,
                ..handle
            },
            Handle { slot: 0, ..handle },
            Handle {
                slot: handle.slot + 1,
                ..handle
            },
            Handle {
                slot: LINES,
                ..handle
            },
            Handle {
                slot: u32::MAX,
                ..handle
            },
        ] {
            assert!(
                matches!(reader.check(&forged), Err(Error::UseAfterFree(_))),
                "{forged}"
            );
            assert!(
                matches!(pool.release(&forged), Err(Error::DoubleFree(_))),
                "{forged}"
            );
        }
        for forged in [
            Handle {
                offset: 0,
                ..handle
            },
            Handle {
                offset: 1 << 50,
                ..handle
            },
            Handle {
                offset: u64::MAX,
                ..handle
            },
            Handle {
                nbytes: u64::MAX,
                ..handle
            },
        ] {
            assert!(
                matches!(reader.open(&forged, true), Err(Error::Value(_))),
                "{forged}"
            );
        }
        pool.release(&handle).unwrap();
        assert!(matches!(pool.release(&handle), Err(Error::DoubleFree(_))));
        assert!(matches!(buffer.release(), Err(Error::DoubleFree(_))));
        assert!(matches!(buffer.begin_view(), Err(Error::UseAfterFree(_))));
        let next = pool.acquire(nbytes).unwrap();
        assert_eq!(next.handle.offset, handle.offset);
        drop(buffer);
        assert!(matches!(
            reader.open(&handle, false),
            Err(Error::UseAfterFree(_))
        ));
        reader.check(&next.handle).unwrap();
    }
}

#[test]
fn another_pools_handles_are_refused() {
    let (one, other) = (pool(), pool());
    let (mine, theirs) = (one.acquire(100).unwrap(), other.acquire(100).unwrap());
    assert_eq!(mine.handle.offset, theirs.handle.offset);
    assert!(matches!(
        one.release(&theirs.handle),
        Err(Error::DoubleFree(_))
    ));
    assert!(matches!(
        reader(&one).check(&theirs.handle),
        Err(Error::UseAfterFree(_))
    ));
}

#[test]
fn memory_that_is_looked_at_is_not_used_again() {
    let pool = pool();
    for nbytes in [100, 100_000] {
        let buffer = pool.acquire(nbytes).unwrap();
        buffer.begin_view().unwrap();
        buffer.release().unwrap();
        let next = pool.acquire(nbytes).unwrap();
        assert_ne!(next.handle.offset, buffer.handle.offset);
        buffer.end_view();
        assert_eq!(
            pool.acquire(nbytes).unwrap().handle.offset,
            buffer.handle.offset
        );
    }
}

#[test]
fn a_file_has_one_pool_and_may_have_something_in_front() {
    let file = SharedFile::create().unwrap();
    file.grow(*PAGE).unwrap();
    let number = file.number();
    let early = Reader::new(SharedFile::duplicate(number).unwrap()).unwrap();
    let made_up = Handle {
        offset: data(),
        nbytes: 1,
        slot: 1,
        generation: 1,
    };
    assert!(matches!(early.check(&made_up), Err(Error::Value(_))));
    let again = SharedFile::duplicate(number).unwrap();
    let pool = Arc::new(Pool::new(file, Limits::default(), Topology::default()).unwrap());
    let second = Pool::new(again, Limits::default(), Topology::default());
    assert!(matches!(second, Err(Error::Value(_))));
    early.check(&pool.acquire(1).unwrap().handle).unwrap();
    assert!(
        pool.file().grow(1).is_err() || !cfg!(target_os = "linux"),
        "it became shorter"
    );
}

#[test]
fn of_many_that_begin_in_a_file_one_succeeds() {
    for _ in 0..20 {
        let file = SharedFile::create().unwrap();
        let start = Barrier::new(3);
        let one = || {
            let file = SharedFile::duplicate(file.number()).unwrap();
            start.wait();
            Pool::new(file, Limits::default(), Topology::default()).is_ok()
        };
        let begun = thread::scope(|scope| {
            let all: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
            all.into_iter()
                .filter_map(|thread| thread.join().unwrap().then_some(()))
                .count()
        });
        assert_eq!(begun, 1);
    }
}

#[test]
fn a_number_of_lines_that_cannot_be_is_not_believed() {
    let pool = pool();
    let reader = reader(&pool);
    let handle = pool.acquire(1).unwrap().handle;
    let file = SharedFile::duplicate(pool.file().number()).unwrap();
    let table = file.map(*PAGE, 4096, Access::Shared).unwrap();
    table.word(1).store(u64::MAX, Ordering::Relaxed);
    for slot in [1, LINES - 1, LINES, u32::MAX] {
        let forged = Handle { slot, ..handle };
        assert!(matches!(reader.check(&forged), Err(Error::UseAfterFree(_))));
    }
}

#[test]
fn threads_take_cold_memory_at_the_same_time() {
    let pool = pool();
    let take = |nbytes: u64| (0..20).map(|_| pool.acquire(nbytes).unwrap()).collect();
    let all: Vec<Vec<Buffer>> = thread::scope(|scope| {
        let workers: Vec<_> = [40_000, 300_000, 1 << 20]
            .map(|nbytes| scope.spawn(move || take(nbytes)))
            .into();
        workers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut spans: Vec<_> = all.iter().flatten().map(|buffer| buffer.handle).collect();
    spans.sort_unstable_by_key(|handle| handle.offset);
    assert!(spans.is_sorted_by(|one, next| one.offset + one.nbytes <= next.offset));
    assert_eq!(pool.stats().unwrap().buffers, 60);
    drop(all);
    assert_eq!(pool.stats().unwrap().live, 0);
}

#[test]
fn what_is_joined_lies_in_one_part_of_the_file() {
    let (pool, part) = (pool(), 64 << 20);
    let all: Vec<Buffer> = (0..4).map(|_| pool.acquire(part / 2).unwrap()).collect();
    let starts = [all[0].handle.offset, all[2].handle.offset];
    assert_eq!(starts[1], starts[0] + part);
    drop(all);
    let across = pool.acquire(part + 1).unwrap();
    assert!(across.handle.offset >= starts[1] + part);
    across.begin_view().unwrap();
    let whole = [0, 1].map(|_| pool.acquire(part).unwrap());
    let mut offsets = whole.each_ref().map(|buffer| buffer.handle.offset);
    offsets.sort_unstable();
    assert_eq!(offsets, starts);
    for buffer in whole {
        buffer.begin_view().unwrap();
    }
}

#[test]
fn without_room_nothing_is_taken() {
    let pool = pool();
    for nbytes in [u64::MAX, 1 << 62, *MEMORY + 1] {
        assert!(matches!(pool.acquire(nbytes), Err(Error::System(..))));
    }
    assert!(SharedFile::duplicate(-1).is_err() && SharedFile::duplicate(1 << 30).is_err());
    assert_eq!(pool.stats().unwrap().live, 0);
    pool.acquire(1).unwrap();
}

#[test]
fn as_much_is_kept_as_was_in_use_lately_and_then_given_back() {
    let megabyte = 1 << 20;
    for (seconds, kept) in [(3600, 100 * megabyte), (0, 16 * megabyte)] {
        let keep = Duration::from_secs(seconds);
        let pool = pool_with(Limits {
            spare: 32 * megabyte,
            keep,
        });
        let all: Vec<Buffer> = (0..100).map(|_| pool.acquire(megabyte).unwrap()).collect();
        assert_eq!(pool.stats().unwrap().live, 100 * megabyte);
        drop(all);
        // (The mark, halved each time that it is asked, stands at 50 the first time.)
        pool.stats().unwrap();
        pool.stats().unwrap();
        let most = if cfg!(target_os = "linux") {
            kept
        } else {
            100 * megabyte
        };
        assert!(pool.stats().unwrap().spare <= most.max(25 * megabyte));
        if seconds > 0 {
            assert_eq!(pool.stats().unwrap().spare, kept);
        }
    }
}

#[test]
fn memory_is_used_again_by_the_node_that_it_is_near() {
    let pool = pool();
    for nbytes in [100, 100_000] {
        let offsets = [0, 1].map(|node| {
            let buffer = pool.acquire_at(nbytes, node).unwrap();
            assert_eq!(buffer.node, node);
            buffer.handle.offset
        });
        assert!(offsets[0].abs_diff(offsets[1]) >= *PAGE);
        for node in [1, 0] {
            let buffer = pool.acquire_at(nbytes, node).unwrap();
            assert_eq!(buffer.handle.offset, offsets[usize::from(node)]);
        }
    }
}

#[test]
fn many_small_ones_share_slabs_which_go_back() {
    let pool = pool();
    let mut all: Vec<Buffer> = (0..10_000).map(|_| pool.acquire(100).unwrap()).collect();
    let size = slab(class(100));
    let slabs = 10_000_u64.div_ceil(size / class(100));
    assert_eq!(pool.stats().unwrap().live, slabs * size);
    all.retain(|buffer| buffer.handle.offset % 3 == 0);
    let rest = all.len() as u64;
    all.extend((rest..10_000).map(|_| pool.acquire(100).unwrap()));
    assert_eq!(pool.stats().unwrap().live, slabs * size);
    all.clear();
    assert_eq!(pool.stats().unwrap().live, 0);
}

#[test]
fn threads_share_a_pool() {
    let pool = pool();
    let workers: Vec<_> = (0..4)
        .map(|seed| {
            let pool = pool.clone();
            thread::spawn(move || {
                let (reader, mut random) = (reader(&pool), Random(seed));
                let mut live: Vec<Buffer> = Vec::new();
                for _ in 0..2_000 {
                    let buffer = pool.acquire(random.below(100_000)).unwrap();
                    reader.check(&buffer.handle).unwrap();
                    live.push(buffer);
                    if live.len() > 20 {
                        live.swap_remove(random.below(20) as usize);
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(pool.stats().unwrap().live, 0);
}
