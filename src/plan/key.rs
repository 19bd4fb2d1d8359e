//! Key values: the only values of the application that pass through the tool.
//!
//! A key travels as [`Key`], an opaque byte string that the core can order, hash and compare
//! without knowing what is in it. Its bytes sort like the values for numbers and binary strings,
//! so a sorted batch touches neighbouring pages. Text is never compared here: which rows a text
//! key stands for is the server's business (the column's collation).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The bytes of one key of the original, encoded by [`encode`].
///
/// A short one (two numbers, a UUID in binary) stands in the value itself: millions of keys pass through, and
/// an allocation for each costs more than the key. The bytes of a long one are shared by its copies, of which
/// a key that is refreshed has several.
#[derive(Clone)]
pub struct Key(Bytes);

#[derive(Clone)]
enum Bytes {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

/// Bytes of the longest key that needs no allocation: what makes a key three words with its length.
const SHORT: usize = 22;

/// What an allocation for a long key takes beside its bytes: two counters, and the allocator's own word.
const LONG_OVERHEAD: usize = 3 * size_of::<usize>();

impl Key {
    /// Makes a key of raw bytes; the simulation uses it, everything else goes through [`encode`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        Self(
            match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
                (Some(place), Ok(length)) => {
                    place.copy_from_slice(bytes);
                    let bytes = short;
                    Bytes::Short { length, bytes }
                }
                _ => Bytes::Long(bytes.into()),
            },
        )
    }

    /// How many numbers it is behind another key, if both are keys of one integer column.
    #[must_use]
    pub fn distance(&self, before: &Self) -> Option<u64> {
        let number = |key: &Self| key.encoded().try_into().ok().map(u64::from_be_bytes);
        number(self)?.checked_sub(number(before)?)
    }

    /// Its bytes, for the checkpoint table.
    #[inline]
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Bytes::Long(bytes) => bytes,
        }
    }

    /// The length of the encoded key in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.encoded().len()
    }

    /// The memory it takes outside of the value, for accounting.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        match &self.0 {
            Bytes::Short { .. } => 0,
            Bytes::Long(bytes) => bytes.len() + LONG_OVERHEAD,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.encoded() == other.encoded()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.encoded().cmp(other.encoded())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.encoded().hash(state);
    }
}

/// Shows the length only: key values must not reach logs or messages by accident.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(test) {
            write!(f, "Key({:?})", self.encoded())
        } else {
            write!(f, "Key({} bytes)", self.size())
        }
    }
}

/// How the values of a key column are read, carried and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// TINYINT to BIGINT, signed.
    Int,
    /// TINYINT to BIGINT unsigned, YEAR; and BIT, ENUM and SET by number.
    UInt,
    /// DECIMAL, as text.
    Decimal,
    /// DOUBLE, by its bits.
    Double,
    /// DATE, as text.
    Date,
    /// DATETIME, as text.
    DateTime,
    /// TIMESTAMP, as text in UTC; see [`super::Zone`].
    Timestamp,
    /// TIME, as text.
    Time,
    /// CHAR, VARCHAR and TEXT in their own character set, and BINARY and VARBINARY.
    Bytes,
}

/// One column of the shared unique key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyColumn {
    /// Name in the original.
    pub name: String,
    /// Name in the ghost (differs when the ALTER renames it).
    pub ghost_name: String,
    /// Position in the table, from 0, as in row events.
    pub ordinal: usize,
    /// How its values are carried.
    pub kind: KeyKind,
    /// Data type in lower case, as in the catalogue (`mediumint`, `varchar`, …).
    pub data_type: String,
    /// Character set of a text column; `None` for binary strings and everything else.
    pub charset: Option<String>,
    /// Collation of a text column in the original.
    pub collation: Option<String>,
    /// Character set and collation of the column in the ghost, for text columns.
    pub ghost_text: Option<(String, String)>,
    /// Length of a BINARY(n) column: row events drop its trailing zeros, they are put back.
    pub binary_length: Option<usize>,
}

impl KeyColumn {
    /// TINYINT to BIGINT, signed or not; not what is carried by its number, like an ENUM.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        let number = matches!(self.kind, KeyKind::Int | KeyKind::UInt);
        number && self.data_type.ends_with("int")
    }

    /// Whether equal values always have equal bytes, so that a key can be told apart by its bytes.
    ///
    /// Text can't (two spellings are one key under its collation), and DECIMAL isn't relied on.
    #[must_use]
    pub fn byte_comparable(&self) -> bool {
        match self.kind {
            KeyKind::Int
            | KeyKind::UInt
            | KeyKind::Double
            | KeyKind::Date
            | KeyKind::DateTime
            | KeyKind::Timestamp
            | KeyKind::Time => true,
            KeyKind::Bytes => self.charset.is_none(),
            KeyKind::Decimal => false,
        }
    }
}

/// One value of a key column.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyValue {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, or the number of a BIT, ENUM, SET or YEAR.
    UInt(u64),
    /// A DOUBLE; see [`KeyValue::double`].
    Double(Double),
    /// Text or binary bytes in the column's own character set; ASCII for decimals and temporals.
    Bytes(Vec<u8>),
}

/// A DOUBLE as a number that sorts like it.
///
/// The server takes -0 and 0 for one key, so both are 0 here; it stores no infinity and no NaN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Double(u64);

impl KeyValue {
    /// A DOUBLE.
    #[must_use]
    pub fn double(value: f64) -> Self {
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        // Negative numbers sort the other way round by their bits, and before the others.
        Self::Double(Double(if bits & SIGN == 0 { bits ^ SIGN } else { !bits }))
    }
}

impl Double {
    fn value(self) -> f64 {
        f64::from_bits(if self.0 & SIGN == 0 {
            !self.0
        } else {
            self.0 ^ SIGN
        })
    }
}

/// Why bytes could not be read as a key: a bug or a changed table, never an operator's mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError(pub &'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key could not be read: {}", self.0)
    }
}

impl std::error::Error for KeyError {}

const SIGN: u64 = 1 << 63;

/// Encodes the values of one key, in the order of the key's columns.
#[must_use]
pub fn encode(values: &[KeyValue]) -> Key {
    let mut encoder = Encoder::default();
    values.iter().for_each(|value| encoder.add(value));
    encoder.key()
}

/// Encodes one key after another, value by value, in the order of the key's columns.
///
/// Integers take eight bytes that sort like the numbers; byte strings are escaped and ended so
/// that they sort like the strings and no two different tuples have the same bytes.
#[derive(Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// The next value of the present key.
    pub fn add(&mut self, value: &KeyValue) {
        let out = &mut self.0;
        match value {
            KeyValue::Int(number) => {
                out.extend_from_slice(&(number.cast_unsigned() ^ SIGN).to_be_bytes());
            }
            KeyValue::UInt(number) | KeyValue::Double(Double(number)) => {
                out.extend_from_slice(&number.to_be_bytes());
            }
            KeyValue::Bytes(bytes) => {
                for byte in bytes {
                    out.push(*byte);
                    if *byte == 0 {
                        out.push(0xff);
                    }
                }
                out.extend_from_slice(&[0, 0]);
            }
        }
    }

    /// The present key; the next value begins another.
    pub fn key(&mut self) -> Key {
        let key = Key::from_bytes(&self.0);
        self.0.clear();
        key
    }
}

/// Decodes a key made by [`encode`] for these columns.
///
/// # Errors
/// When the bytes don't fit the columns.
pub fn decode(key: &Key, columns: &[KeyColumn]) -> Result<Vec<KeyValue>, KeyError> {
    let mut rest: &[u8] = key.encoded();
    let mut values = Vec::with_capacity(columns.len());
    for column in columns {
        values.push(match column.kind {
            KeyKind::Int => KeyValue::Int((take_number(&mut rest)? ^ SIGN).cast_signed()),
            KeyKind::UInt => KeyValue::UInt(take_number(&mut rest)?),
            KeyKind::Double => KeyValue::Double(Double(take_number(&mut rest)?)),
            KeyKind::Decimal
            | KeyKind::Date
            | KeyKind::DateTime
            | KeyKind::Timestamp
            | KeyKind::Time
            | KeyKind::Bytes => KeyValue::Bytes(take_bytes(&mut rest)?),
        });
    }
    if rest.is_empty() {
        Ok(values)
    } else {
        Err(KeyError("bytes left over"))
    }
}

fn take_number(rest: &mut &[u8]) -> Result<u64, KeyError> {
    let (head, tail) = rest
        .split_first_chunk::<8>()
        .ok_or(KeyError("number cut short"))?;
    *rest = tail;
    Ok(u64::from_be_bytes(*head))
}

fn take_bytes(rest: &mut &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut out = Vec::new();
    loop {
        match *rest {
            [0, 0xff, tail @ ..] => {
                out.push(0);
                *rest = tail;
            }
            [0, 0, tail @ ..] => {
                *rest = tail;
                return Ok(out);
            }
            [0, ..] | [] => return Err(KeyError("string not ended")),
            [byte, tail @ ..] => {
                out.push(*byte);
                *rest = tail;
            }
        }
    }
}

/// Writes a value as an SQL literal of the column's type.
///
/// Text goes as hexadecimal with its character set in front, so that the server reads the very
/// bytes whatever the connection's character set is; temporals go as typed literals, so that the
/// index is used (a string compared with a temporal column is not looked up by index in a join). A
/// DOUBLE goes as the shortest text that is read as the same number, with an exponent: without one
/// the server would take it for a DECIMAL.
pub fn write_literal(out: &mut String, value: &KeyValue, column: &KeyColumn) {
    use std::fmt::Write as _;
    let written = match (value, column.kind) {
        (KeyValue::Int(number), _) => write!(out, "{number}"),
        (KeyValue::UInt(number), _) => write!(out, "{number}"),
        (KeyValue::Double(number), _) => write!(out, "{:e}", number.value()),
        (KeyValue::Bytes(bytes), KeyKind::Decimal) => write!(out, "{}", ascii(bytes)),
        (KeyValue::Bytes(bytes), KeyKind::Date) => write!(out, "DATE'{}'", ascii(bytes)),
        (KeyValue::Bytes(bytes), KeyKind::DateTime | KeyKind::Timestamp) => {
            write!(out, "TIMESTAMP'{}'", ascii(bytes))
        }
        (KeyValue::Bytes(bytes), KeyKind::Time) => write!(out, "TIME'{}'", ascii(bytes)),
        (
            KeyValue::Bytes(bytes),
            KeyKind::Bytes | KeyKind::Int | KeyKind::UInt | KeyKind::Double,
        ) => {
            out.push('_');
            out.push_str(column.charset.as_deref().unwrap_or("binary"));
            out.push_str(" x'");
            for byte in bytes {
                let _ = write!(out, "{byte:02X}");
            }
            out.push('\'');
            Ok(())
        }
    };
    written.expect("writing to a string can't fail");
}

/// Digits and punctuation of a number or a temporal; anything else can't be in one and is left
/// out, so that no byte from the stream can end a literal early.
fn ascii(bytes: &[u8]) -> String {
    bytes
        .iter()
        .filter(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b':' | b' '))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: KeyKind, charset: Option<&str>) -> KeyColumn {
        KeyColumn {
            name: "k".into(),
            ghost_name: "k".into(),
            ordinal: 0,
            kind,
            data_type: "int".into(),
            charset: charset.map(Into::into),
            collation: None,
            ghost_text: None,
            binary_length: None,
        }
    }

    #[test]
    fn encoded_keys_sort_like_their_values() {
        let numbers = [i64::MIN, -8_388_608, -1, 0, 1, 8_388_607, i64::MAX];
        let keys: Vec<Key> = numbers
            .iter()
            .map(|n| encode(&[KeyValue::Int(*n)]))
            .collect();
        assert!(keys.is_sorted());
        let doubles = [
            f64::MIN,
            -1.5,
            -1.0,
            -f64::MIN_POSITIVE,
            -5e-324,
            0.0,
            5e-324,
            0.3,
            0.1 + 0.2,
            1.0,
            f64::MAX,
        ];
        let keys: Vec<Key> = doubles
            .iter()
            .map(|n| encode(&[KeyValue::double(*n)]))
            .collect();
        assert!(keys.is_sorted_by(|one, other| one < other));
        let words: [&[u8]; 5] = [b"", b"\0", b"\0\0", b"a", b"a\0b"];
        let keys: Vec<Key> = words
            .iter()
            .map(|w| encode(&[KeyValue::Bytes(w.to_vec()), KeyValue::UInt(7)]))
            .collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_moved_column_boundary_is_another_key() {
        let one = encode(&[KeyValue::Bytes(b"ab".into()), KeyValue::Bytes(b"c".into())]);
        let other = encode(&[KeyValue::Bytes(b"a".into()), KeyValue::Bytes(b"bc".into())]);
        assert_ne!(one, other);
    }

    #[test]
    fn keys_survive_a_round_trip() {
        let columns = [
            column(KeyKind::Int, None),
            column(KeyKind::UInt, None),
            column(KeyKind::Bytes, Some("latin1")),
            column(KeyKind::DateTime, None),
        ];
        let values = [
            KeyValue::Int(-5),
            KeyValue::UInt(u64::MAX),
            KeyValue::Bytes(vec![0, 0xff, 0, 0, b'\'', b'\\']),
            KeyValue::Bytes(b"2026-11-21 10:11:12.123456".into()),
        ];
        let decoded = decode(&encode(&values), &columns).expect("own encoding");
        assert!(decoded.as_slice() == values.as_slice());
    }

    #[test]
    fn keys_are_the_same_and_sort_by_their_bytes_however_they_are_kept() {
        let bytes: Vec<u8> = (1..=2 * SHORT)
            .map(|byte| u8::try_from(byte).unwrap_or(0))
            .collect();
        let keys: Vec<Key> = (0..=bytes.len())
            .map(|length| Key::from_bytes(&bytes[..length]))
            .collect();
        for (length, key) in keys.iter().enumerate() {
            assert_eq!(key.encoded(), &bytes[..length]);
            assert_eq!(key.clone(), *key);
            assert_eq!(key.heap_size() == 0, length <= SHORT, "{length} bytes");
        }
        assert!(
            keys.is_sorted_by(|one, other| one < other),
            "a beginning comes before the whole"
        );
        let behind = Key::from_bytes(&[9]);
        assert!(keys.iter().all(|key| *key < behind), "short or long");
        assert_eq!(size_of::<Key>(), 3 * size_of::<usize>());
        assert_eq!(size_of::<Option<Key>>(), size_of::<Key>());
    }

    #[test]
    fn both_zeros_are_one_key() {
        assert_eq!(
            encode(&[KeyValue::double(-0.0)]),
            encode(&[KeyValue::double(0.0)])
        );
    }

    #[test]
    fn the_literal_of_a_double_is_read_as_the_same_double() {
        let mut bits: u64 = 1;
        let random = std::iter::repeat_with(|| {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from_bits(bits)
        });
        let extremes = [5e-324, -5e-324, f64::MAX, f64::MIN, 0.1 + 0.2, 1e23, 0.0];
        let column = column(KeyKind::Double, None);
        for number in extremes.into_iter().chain(random.take(10_000)) {
            if !number.is_finite() {
                continue;
            }
            let key = encode(&[KeyValue::double(number)]);
            let values = decode(&key, std::slice::from_ref(&column)).expect("own encoding");
            let mut literal = String::new();
            write_literal(&mut literal, &values[0], &column);
            let read: f64 = literal.parse().expect("a number");
            assert_eq!(read.to_bits(), number.to_bits(), "{literal}");
            assert!(literal.contains('e'), "{literal}");
        }
    }

    #[test]
    fn damaged_keys_are_errors_and_not_panics() {
        let columns = [column(KeyKind::Bytes, None), column(KeyKind::Int, None)];
        let whole = encode(&[KeyValue::Bytes(b"abc".into()), KeyValue::Int(3)]);
        for length in 0..whole.size() {
            assert!(decode(&Key::from_bytes(&whole.encoded()[..length]), &columns).is_err());
        }
    }

    #[test]
    fn literals_name_their_type() {
        let cases = [
            (KeyValue::Int(-5), column(KeyKind::Int, None), "-5"),
            (
                KeyValue::UInt(u64::MAX),
                column(KeyKind::UInt, None),
                "18446744073709551615",
            ),
            (
                KeyValue::Bytes(vec![0xe9]),
                column(KeyKind::Bytes, Some("latin1")),
                "_latin1 x'E9'",
            ),
            (
                KeyValue::Bytes(vec![]),
                column(KeyKind::Bytes, None),
                "_binary x''",
            ),
            (
                KeyValue::Bytes(b"2026-01-02".into()),
                column(KeyKind::Date, None),
                "DATE'2026-01-02'",
            ),
            (
                KeyValue::Bytes(b"-1.50'; --".into()),
                column(KeyKind::Decimal, None),
                "-1.50 --",
            ),
        ];
        for (value, column, expected) in cases {
            let mut out = String::new();
            write_literal(&mut out, &value, &column);
            assert_eq!(out, expected);
        }
    }
}
