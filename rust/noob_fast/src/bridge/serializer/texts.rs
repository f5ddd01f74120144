//! Checks that the text of numpy's arrays is text: numpy itself believes any four bytes.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

const LAST: u32 = 0x0010_FFFF;

/// Code points of an element, in a row.
#[derive(Clone, Copy)]
struct Run {
    at: usize,
    bytes: usize,
    big_endian: bool,
}

/// Refuses elements of this dtype that hold what is no text.
pub fn check_texts(dtype: &Bound<'_, PyAny>, size: usize, data: &[u8]) -> PyResult<()> {
    if size == 0 || data.is_empty() {
        return Ok(());
    }
    let runs = runs(dtype)?;
    if runs.is_empty() {
        return Ok(());
    }
    // Else a small frame could have the same bytes looked at any number of times.
    if runs.iter().map(|run| run.bytes).sum::<usize>() > size {
        return Err(PyValueError::new_err("an array whose texts overlap"));
    }
    for element in data.chunks_exact(size) {
        for run in &runs {
            let (codes, _) = element[run.at..run.at + run.bytes].as_chunks::<4>();
            let read = if run.big_endian {
                u32::from_be_bytes
            } else {
                u32::from_le_bytes
            };
            if codes.iter().any(|&code| read(code) > LAST) {
                return Err(PyValueError::new_err("text with a code point beyond all"));
            }
        }
    }
    Ok(())
}

fn runs(dtype: &Bound<'_, PyAny>) -> PyResult<Vec<Run>> {
    let kind: String = dtype.getattr("kind")?.extract()?;
    let bytes: usize = dtype.getattr("itemsize")?.extract()?;
    let mut found = Vec::new();
    if kind == "U" {
        let text: String = dtype.getattr("str")?.extract()?;
        let big_endian = text.starts_with('>');
        found.push(Run {
            at: 0,
            bytes,
            big_endian,
        });
    } else if kind == "V" {
        let of_many = dtype.getattr("subdtype")?;
        let names = dtype.getattr("names")?;
        if !of_many.is_none() {
            let base = of_many.get_item(0)?;
            let length: usize = base.getattr("itemsize")?.extract()?;
            let each = runs(&base)?;
            if !each.is_empty() {
                for start in (0..bytes).step_by(length.max(1)) {
                    found.extend(each.iter().map(|run| run.after(start)));
                }
            }
        } else if !names.is_none() {
            let fields = dtype.getattr("fields")?;
            for name in names.cast::<PyTuple>()?.iter_borrowed() {
                let field = fields.get_item(name)?;
                let start = field.get_item(1)?.extract()?;
                found.extend(
                    runs(&field.get_item(0)?)?
                        .iter()
                        .map(|run| run.after(start)),
                );
            }
        }
    }
    Ok(found)
}

impl Run {
    fn after(self, start: usize) -> Self {
        Run {
            at: self.at + start,
            ..self
        }
    }
}
