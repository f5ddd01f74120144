use super::output::{Output, SHORT};
use super::tree::Tree;
use super::{Beside, Date, HEADER, Known, Limits, Time, VERSION, seal, tag};
use crate::error::Error;

const LIMITS: Limits = Limits {
    bytes: 1 << 21,
    depth: 50,
};

fn back(tree: &Tree) -> Tree {
    let frame = tree.frame(LIMITS).unwrap();
    let buffers = u32::from_le_bytes(frame[16..20].try_into().unwrap());
    Tree::read(&frame, buffers as usize, LIMITS).unwrap()
}

fn refused(frame: &[u8]) -> String {
    match Tree::read(frame, 0, LIMITS) {
        Err(Error::Frame(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A frame of these bytes, with a header that fits.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEADER];
    frame.extend_from_slice(body);
    seal(&mut frame, 0);
    frame
}

fn nested(depth: usize) -> Tree {
    (1..depth).fold(Tree::List(vec![]), |inner, _| Tree::List(vec![inner]))
}

#[test]
fn every_kind_comes_back() {
    let time = Time {
        hour: 23,
        minute: 59,
        second: 58,
        fold: 1,
        microsecond: 999_999,
    };
    let date = Date {
        year: 2026,
        month: 2,
        day: 28,
    };
    let name = |text: &str| Tree::Str(text.into());
    let mut all = vec![
        Tree::None,
        Tree::Bool(true),
        Tree::Bool(false),
        Tree::Big(vec![1; 20]),
        Tree::Surrogates(vec![b'a', 0xED, 0xA0, 0x80, 0xC3, 0xA9]),
        Tree::Bytes(vec![7; 300]),
        Tree::Bytearray(vec![]),
        Tree::Beside(Beside::Bytes, 1 << 40),
        Tree::Beside(Beside::Bytearray, 0),
        Tree::Beside(Beside::View, 5),
        Tree::Set(vec![Tree::Int(1)]),
        Tree::Frozenset(vec![]),
        Tree::Date(date),
        Tree::Time(time, Tree::None.into()),
        Tree::Datetime(
            date,
            time,
            Tree::Known(Known::Zone, name("UTC").into()).into(),
        ),
        Tree::Timedelta([-1, 2, 3]),
        Tree::Pickle(vec![1, 2]),
        Tree::Hook("a.b".into(), Tree::Int(3).into()),
        Tree::Dict(vec![(Tree::Int(1), name("one"))]),
        Tree::Dict(vec![(name("é"), Tree::None)]),
        Tree::Dict(vec![(name("é"), Tree::Int(2))]),
        Tree::Dict(vec![]),
    ];
    for value in [0, 127, 128, -1, -128, -129, 32767, 32768, 1 << 31, i64::MIN] {
        all.push(Tree::Int(value));
        all.push(Tree::List(vec![Tree::Int(value), Tree::Int(0)]));
    }
    for bits in [0, 1 << 63, 0x7FF8_0000_0000_1234, f64::INFINITY.to_bits()] {
        all.push(Tree::Float(bits));
        all.push(Tree::List(vec![Tree::Float(bits); 3]));
    }
    for length in [0, 1, 63, 64, 251, 252, 70_000] {
        all.push(Tree::Str("x".repeat(length)));
        all.push(Tree::Str("é".repeat(length)));
    }
    let all = Tree::Tuple(all);
    assert_eq!(back(&all), all);
}

#[test]
fn the_keys_of_records_are_written_once() {
    let record = |value| Tree::Dict(vec![(Tree::Str("key".repeat(9)), Tree::Int(value))]);
    let frame = Tree::List(vec![record(1), record(2), record(3)])
        .frame(LIMITS)
        .unwrap();
    assert_eq!(
        frame
            .windows(27)
            .filter(|w| *w == "key".repeat(9).as_bytes())
            .count(),
        1
    );
}

#[test]
fn many_kinds_of_records_come_back() {
    let record = |key: usize| Tree::Dict(vec![(Tree::Str(key.to_string()), Tree::None)]);
    let all = Tree::List((0..1500).chain(0..1500).map(record).collect());
    assert_eq!(back(&all), all);
}

#[test]
fn every_truncation_and_every_flipped_bit_is_an_error() {
    let tree = Tree::List(vec![
        Tree::Str("é".repeat(50)),
        Tree::Dict(vec![]),
        Tree::None,
    ]);
    let frame = tree.frame(LIMITS).unwrap();
    for end in 0..frame.len() {
        refused(&frame[..end]);
    }
    for bit in 0..frame.len() * 8 {
        let mut altered = frame.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        refused(&altered);
    }
    let mut longer = frame;
    longer.push(0);
    assert!(refused(&longer).contains("altered"));
}

#[test]
fn another_version_is_named() {
    let mut frame = sealed(&[0xC0]);
    frame[4] = VERSION + 1;
    assert!(refused(&frame).contains("version 2"));
}

#[test]
fn hostile_bodies_are_refused() {
    for (body, why) in [
        (
            &[0xD0, 254, 255, 255, 255, 255, 255, 255, 255, 255][..],
            "left",
        ),
        (&[0xD7, 254, 255, 255, 255, 255, 255, 255, 255, 255], "left"),
        (&[0xDB, 253, 255, 255, 255, 255], "left"),
        (&[0xC9, 253, 255, 255, 255, 255], "left"),
        (&[0xD4, 2, 1, 1], "left"),
        (&[0xD0, 255], "255"),
        (&[0xD6, 0], "record 0"),
        (&[0xD5, 0], "0 keys"),
        (&[0xD5, 1, 1, 1], "key"),
        (&[0x81, 0xFF], "UTF-8"),
        (&[0xCA, 1, 0xFF], "UTF-8"),
        (&[0xCA, 2, 0xED, 0xA0], "UTF-8"),
        (&[0xE1, 1, 0xFF, 0xC0], "UTF-8"),
        (&[0xFF], "unknown tag"),
        (&[0xC0, 0xC0], "follow"),
        (&[0xCF, 1], "buffers"),
    ] {
        let text = refused(&sealed(body));
        assert!(text.contains(why), "{text} lacks {why}");
    }
}

#[test]
fn buffers_are_counted() {
    let frame = Tree::Beside(Beside::View, 3).frame(LIMITS).unwrap();
    assert!(Tree::read(&frame, 1, LIMITS).is_ok());
    for others in [0, 2] {
        assert!(matches!(
            Tree::read(&frame, others, LIMITS),
            Err(Error::Frame(_))
        ));
    }
    let mut unused = sealed(&[0xC0]);
    seal(&mut unused, 1);
    assert!(matches!(
        Tree::read(&unused, 1, LIMITS),
        Err(Error::Frame(_))
    ));
}

#[test]
fn depth_is_limited_on_both_sides() {
    let allowed = nested(LIMITS.depth);
    assert_eq!(back(&allowed), allowed);
    let deeper = nested(LIMITS.depth + 1);
    assert!(matches!(deeper.frame(LIMITS), Err(Error::Depth(_))));
    let loose = Limits {
        depth: 100,
        ..LIMITS
    };
    let frame = deeper.frame(loose).unwrap();
    assert!(matches!(
        Tree::read(&frame, 0, LIMITS),
        Err(Error::Depth(_))
    ));
}

#[test]
fn both_sides_keep_the_same_account() {
    let record = Tree::Dict(vec![(Tree::Str("é".into()), Tree::Int(1))]);
    let tree = Tree::List(vec![
        record.clone(),
        record,
        Tree::Set(vec![Tree::List(vec![Tree::Float(0)])]),
        Tree::Hook("h".into(), Tree::Str("é".repeat(99)).into()),
    ]);
    let frame = tree.frame(LIMITS).unwrap();
    let enough = (0..LIMITS.bytes)
        .find(|&bytes| tree.frame(Limits { bytes, ..LIMITS }).is_ok())
        .unwrap();
    for bytes in 0..enough + 10 {
        let limits = Limits { bytes, ..LIMITS };
        assert_eq!(tree.frame(limits).is_ok(), bytes >= enough);
        assert_eq!(Tree::read(&frame, 0, limits).is_ok(), bytes >= enough);
    }
}

#[test]
fn text_of_every_length_follows_what_is_there() {
    let text: String = ('!'..='~').cycle().take(70).collect();
    for length in 0..=text.len() {
        let mut out = b"before".to_vec();
        if length <= SHORT {
            out.short(tag::STR, &text.as_bytes()[..length]);
            assert_eq!(out, [b"before\x80", &text.as_bytes()[..length]].concat());
        }
        let tree = Tree::List(vec![Tree::Str(text[..length].into()), Tree::None]);
        assert_eq!(back(&tree), tree);
    }
}
