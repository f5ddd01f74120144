//! Classes of small buffers' sizes: multiples of 64 bytes up to 512, above that eight from one power
//! of two to the next. So a buffer of more than 512 bytes wastes less than an eighth of its length.

/// What every buffer's place is a multiple of, in bytes: a line of the processor's cache.
pub const ALIGNMENT: u64 = 64;

/// The greatest length that shares a slab; longer ones are whole pages.
pub const SMALL: u64 = 32 << 10;

/// Bytes of a slab of cells of a class. One that is nearly empty wastes little, and one that is full
/// less than a tenth.
pub fn slab(size: u64) -> u64 {
    if size <= 4 << 10 { 64 << 10 } else { 256 << 10 }
}

/// The smallest class that holds so many bytes, at most [`SMALL`] of them.
pub fn class(nbytes: u64) -> u64 {
    let step = (nbytes.max(1) - 1)
        .checked_ilog2()
        .map_or(ALIGNMENT, |log| (1 << log.saturating_sub(3)).max(ALIGNMENT));
    nbytes.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_classes_of_their_own() {
        for log in 6..=SMALL.ilog2() {
            assert_eq!(class(1 << log), 1 << log);
        }
    }

    #[test]
    fn waste_is_bounded_and_places_stay_aligned() {
        for nbytes in 0..=SMALL {
            let size = class(nbytes);
            assert!(size >= nbytes.max(1) && size.is_multiple_of(ALIGNMENT));
            assert_eq!(class(size), size);
            assert!(size - nbytes <= ALIGNMENT.max(nbytes / 8), "{nbytes}");
        }
    }

    #[test]
    fn there_are_few_classes() {
        let small: std::collections::BTreeSet<u64> = (1..=SMALL).map(class).collect();
        assert_eq!(small.len(), 8 + 6 * 8);
        for size in small {
            assert!(
                slab(size) % size <= slab(size) / 10,
                "the end of a slab of {size}"
            );
        }
    }
}
