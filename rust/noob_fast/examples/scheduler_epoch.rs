//! Run epochs of a layered graph and nothing else, to count a decision's instructions:
//!
//! `valgrind --tool=callgrind target/release/examples/scheduler_epoch NODES EPOCHS`, once with 1
//! epoch and once with 11; a tenth of the difference, divided by the nodes, is one decision.

#[path = "../benches/layered/mod.rs"]
mod layered;

use std::process::ExitCode;

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let (&[nodes, epochs], true) = (&numbers[..], numbers.first() > Some(&0)) else {
        eprintln!("scheduler_epoch NODES EPOCHS: two numbers, and at least one node");
        return ExitCode::FAILURE;
    };
    let mut scheduler = layered::layered(nodes);
    for _ in 0..epochs {
        assert_eq!(layered::run_epoch(&mut scheduler), nodes, "all nodes run");
    }
    println!("{nodes} nodes, {epochs} epochs");
    ExitCode::SUCCESS
}
