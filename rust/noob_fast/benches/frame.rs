//! Writing and reading frames in plain Rust: a table of records, and columns.

use criterion::{Criterion, criterion_group, criterion_main};
use noob_fast::frame::Limits;
use noob_fast::frame::tree::Tree;
use std::hint::black_box;

const LIMITS: Limits = Limits {
    bytes: 1 << 30,
    depth: 200,
};

fn text(text: &str) -> Tree {
    Tree::Str(text.to_owned())
}

/// Records of an id, a name, eight floats, a bool and 40 characters.
fn table(rows: u32) -> Tree {
    let row = |i: u32| {
        let floats = (0..8).map(|j| Tree::Float((f64::from(i) / f64::from(j + 1)).to_bits()));
        Tree::Dict(vec![
            (text("id"), Tree::Int(i.into())),
            (text("name"), Tree::Str(format!("n{i}"))),
            (text("vals"), Tree::List(floats.collect())),
            (text("ok"), Tree::Bool(i.is_multiple_of(2))),
            (text("s"), Tree::Str("x".repeat(40))),
        ])
    };
    Tree::List((0..rows).map(row).collect())
}

fn frames(criterion: &mut Criterion) {
    for (name, tree) in [
        ("5500 records", table(5500)),
        (
            "100000 floats",
            Tree::List((0..100_000).map(Tree::Float).collect()),
        ),
        (
            "100000 strings",
            Tree::List((0..100_000).map(|i| text(&format!("s{i}"))).collect()),
        ),
    ] {
        let frame = tree.frame(LIMITS).expect("within the limits");
        criterion.bench_function(&format!("write {name}"), |bencher| {
            bencher.iter(|| black_box(&tree).frame(LIMITS));
        });
        criterion.bench_function(&format!("read {name}"), |bencher| {
            bencher.iter(|| Tree::read(black_box(&frame), 0, LIMITS));
        });
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
