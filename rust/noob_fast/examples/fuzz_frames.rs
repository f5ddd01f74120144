//! Feeds random, damaged and hostile frames to the reader: `fuzz_frames COUNT [SEED]`.
//!
//! Whatever is taken must be written and read again as the same; nothing may panic. How much was
//! allocated at once is counted, and may not be more than the limit.

use noob_fast::frame::tree::Tree;
use noob_fast::frame::{Beside, Date, HEADER, Known, Limits, Time, seal};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

const LIMITS: Limits = Limits {
    bytes: 1 << 16,
    depth: 40,
};

/// The system's allocator, and the largest piece it was asked for.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// Numbers that look random, the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 32) as usize % end.max(1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn tree(random: &mut Random, depth: usize) -> Tree {
    let kinds = if depth == 0 { 15 } else { 24 };
    let many = |random: &mut Random| -> Vec<Tree> {
        (0..random.below(5))
            .map(|_| tree(random, depth - 1))
            .collect()
    };
    let time = Time {
        hour: random.next() as u8,
        minute: 0,
        second: 59,
        fold: random.below(2) as u8,
        microsecond: 1,
    };
    let date = Date {
        year: 2026,
        month: random.next() as u8,
        day: 1,
    };
    match random.below(kinds) {
        0 => Tree::None,
        1 => Tree::Bool(random.below(2) == 0),
        2 | 3 => Tree::Int(random.next().cast_signed() >> random.below(64)),
        4 => Tree::Big(random.bytes(12)),
        5 => Tree::Float(random.next()),
        6 => Tree::Str("é".repeat(random.below(50))),
        7 => Tree::Str("x".repeat(random.below(300))),
        8 => Tree::Surrogates(vec![0xED, 0xA0, 0x80]),
        9 => Tree::Bytes(random.bytes(9)),
        10 => Tree::Bytearray(random.bytes(3)),
        11 => Tree::Date(date),
        12 => Tree::Timedelta([1, -2, 3]),
        13 => Tree::Pickle(random.bytes(2)),
        14 => Tree::Beside(Beside::View, 1 << random.below(60)),
        15 => Tree::List(many(random)),
        16 => Tree::Tuple(many(random)),
        17 => Tree::Set(many(random)),
        18 => Tree::Frozenset(many(random)),
        19 => Tree::Dict(
            many(random)
                .into_iter()
                .map(|v| (Tree::Int(1), v))
                .collect(),
        ),
        20 => {
            let keys = ["id", "name", "é", "value"];
            let fields = many(random).into_iter().zip(keys);
            Tree::Dict(fields.map(|(v, key)| (Tree::Str(key.into()), v)).collect())
        }
        21 => Tree::Datetime(date, time, tree(random, depth - 1).into()),
        22 => Tree::Hook("name".into(), tree(random, depth - 1).into()),
        _ => {
            let kind = Known::ALL[random.below(Known::ALL.len())];
            Tree::Known(kind, tree(random, depth - 1).into())
        }
    }
}

fn damage(random: &mut Random, body: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..=random.below(2) {
        let at = random.below(body.len() + 1);
        match random.below(7) {
            0 => body.truncate(at),
            1 if at < body.len() => body[at] ^= 1 << random.below(8),
            2 if at < body.len() => body[at] = random.next() as u8,
            3 => {
                let other = &others[random.below(others.len())];
                let start = random.below(other.len());
                let end = (start + random.below(40)).min(other.len());
                body.splice(at..at, other[start..end].iter().copied());
            }
            4 => {
                let mut length = random.bytes(9);
                length[0] = 252 + random.below(4) as u8;
                body.splice(at..at, length);
            }
            5 => {
                let count = [1, 2, 300][random.below(3)];
                let tag = 0xC0 + random.below(48) as u8;
                body.splice(at..at, std::iter::repeat_n(tag, count));
            }
            _ => {
                let length = 1 + random.below(30);
                *body = random.bytes(length);
            }
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse());
    let count: u64 = arguments.next().and_then(Result::ok).unwrap_or(1_000_000);
    let seed: u64 = arguments.next().and_then(Result::ok).unwrap_or(1);
    let mut random = Random(seed.max(1));
    let bodies: Vec<Vec<u8>> = (0..2000)
        .filter_map(|_| tree(&mut random, 5).frame(LIMITS).ok())
        .map(|frame| frame[HEADER..].to_vec())
        .collect();
    let (mut taken, mut largest) = (0_u64, 0);
    for _ in 0..count {
        let mut body = bodies[random.below(bodies.len())].clone();
        damage(&mut random, &mut body, &bodies);
        let buffers = if random.below(4) == 0 {
            random.below(3)
        } else {
            0
        };
        let mut frame = vec![0; HEADER];
        frame.append(&mut body);
        seal(&mut frame, buffers as u32);
        if random.below(16) == 0 {
            let at = random.below(frame.len());
            frame[at] = random.next() as u8;
        }
        LARGEST.store(0, Ordering::Relaxed);
        let read = Tree::read(&frame, buffers, LIMITS);
        largest = largest.max(LARGEST.load(Ordering::Relaxed));
        if let Ok(value) = read {
            taken += 1;
            let again = value.frame(LIMITS).expect("what was read can be written");
            let value_again = Tree::read(&again, buffers, LIMITS);
            assert_eq!(value_again.as_ref(), Ok(&value), "seed {seed}: {frame:?}");
        }
    }
    assert!(largest <= LIMITS.bytes, "{largest} bytes allocated at once");
    println!("seed {seed}: {count} inputs, {taken} taken, at most {largest} bytes at once");
}
