//! Where a frame is written.

use std::mem::MaybeUninit;

/// The most bytes of `short`.
pub const SHORT: usize = 63;

/// Bytes in a row, with room for more at the end.
#[allow(
    unsafe_code,
    reason = "bytes need not be zeroed before they are written"
)]
#[allow(
    clippy::inline_always,
    reason = "measured: most values are a few bytes, and what is made of them is known here"
)]
pub trait Output {
    fn bytes(&mut self) -> &mut [u8];

    fn count(&self) -> usize;

    /// The room at the end, of `wanted` bytes or more.
    fn room(&mut self, wanted: usize) -> &mut [MaybeUninit<u8>];

    /// Takes the first `count` bytes of the room as written.
    ///
    /// # Safety
    /// They are, since `room` was last called.
    unsafe fn written(&mut self, count: usize);

    /// Takes back what follows `count` bytes, if there is more.
    fn truncate(&mut self, count: usize);

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.room(1)[0].write(byte);
        // SAFETY: the byte was written.
        unsafe { self.written(1) };
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].write_copy_of_slice(bytes);
        // SAFETY: so many bytes were written.
        unsafe { self.written(bytes.len()) };
    }

    /// Puts a byte and as many as are known to be.
    #[inline(always)]
    fn tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        let room = &mut self.room(1 + N)[..=N];
        room[0].write(tag);
        room[1..].write_copy_of_slice(&bytes);
        // SAFETY: so many bytes were written.
        unsafe { self.written(1 + N) };
    }

    /// Puts a byte and up to `SHORT` more.
    #[inline(always)]
    fn short(&mut self, tag: u8, bytes: &[u8]) {
        let room = &mut self.room(1 + SHORT)[..=SHORT];
        room[0].write(tag);
        let space = &mut room[1..=bytes.len()];
        match bytes.len() {
            32.. => ends::<32>(space, bytes),
            16.. => ends::<16>(space, bytes),
            8.. => ends::<8>(space, bytes),
            4.. => ends::<4>(space, bytes),
            2.. => ends::<2>(space, bytes),
            1 => ends::<1>(space, bytes),
            0 => {}
        }
        // SAFETY: so many bytes were written.
        unsafe { self.written(1 + bytes.len()) };
    }

    /// Puts all of them, or none if one is missing; whether it did.
    #[inline]
    fn all<const N: usize>(
        &mut self,
        values: impl ExactSizeIterator<Item = Option<[u8; N]>>,
    ) -> bool {
        let room = self.room(N * values.len());
        let mut count = 0;
        for (space, value) in room.as_chunks_mut::<N>().0.iter_mut().zip(values) {
            let Some(value) = value else {
                return false;
            };
            *space = value.map(MaybeUninit::new);
            count += 1;
        }
        // SAFETY: so many spaces were written.
        unsafe { self.written(N * count) };
        true
    }
}

/// Copies N to 2 N bytes by the first and the last N of them: to call a function for so few would
/// take longer.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as said")]
fn ends<const N: usize>(space: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    let last = bytes.len() - N;
    space[..N].write_copy_of_slice(&bytes[..N]);
    space[last..].write_copy_of_slice(&bytes[last..]);
}

#[allow(
    unsafe_code,
    reason = "bytes need not be zeroed before they are written"
)]
impl Output for Vec<u8> {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }

    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn room(&mut self, wanted: usize) -> &mut [MaybeUninit<u8>] {
        self.reserve(wanted);
        self.spare_capacity_mut()
    }

    #[inline]
    unsafe fn written(&mut self, count: usize) {
        // SAFETY: the caller has written them, into the spare capacity.
        unsafe { self.set_len(self.len() + count) };
    }

    fn truncate(&mut self, count: usize) {
        Vec::truncate(self, count);
    }
}
