//! Key columns out of row events, and nothing else.
//!
//! The library's row decoder is wrong for some types (negative MEDIUMINT and TIME) and slow for
//! wide rows, and we need the key only. So each image is walked column by column: key columns are
//! remembered by their bytes in the event, all others are skipped by their length. Only a key that a
//! change has moved is decoded twice. Layouts are those of the server's
//! `Field::pack` and `log_event` (MySQL internals, "Row-Based Replication"); the cases under
//! `testdata/cases` hold them against a real server, one for each type that can be a key.

use mysql_common::binlog::decimal::Decimal;
use mysql_common::binlog::events::{RowsEventData, TableMapEvent};
use mysql_common::constants::ColumnType as T;

use crate::plan::key::{Encoder, Key, KeyColumn, KeyError, KeyKind, KeyValue};

/// Type and metadata of one column, as the table map has it.
#[derive(Debug, Clone, Copy)]
struct Layout {
    column_type: T,
    meta: [u8; 2],
}

/// How long a field is.
#[derive(Debug, Clone, Copy)]
enum Width {
    /// Always so many bytes.
    Fixed(usize),
    /// As its length says, which takes so many bytes.
    Counted(usize),
    Unknown,
}

/// One column of an image.
#[derive(Debug, Clone, Copy)]
struct Field {
    width: Width,
    /// Its position in the key.
    place: Option<usize>,
}

/// What is needed to read keys from the row events of one table.
#[derive(Debug, Clone)]
pub struct KeyReader {
    /// What a row was before doesn't matter, so its image needn't have the whole key.
    after_only: bool,
    /// Every column of the table.
    fields: Vec<Field>,
    /// Of these, columns of JSON.
    json: usize,
    /// The columns of the key, in its order.
    columns: Vec<(Layout, KeyColumn)>,
}

/// The keys that one row of an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowKeys {
    /// Before the change.
    pub before: Option<Key>,
    /// After the change.
    pub after: Option<Key>,
}

impl KeyReader {
    /// A reader for a table map; `count` is the number of columns the table had when it was
    /// inspected.
    ///
    /// # Errors
    /// When the table has another shape by now, or a column type that isn't known.
    pub fn new(
        map: &TableMapEvent<'_>,
        columns: &[KeyColumn],
        count: usize,
    ) -> Result<Self, KeyError> {
        if usize::try_from(map.columns_count()).ok() != Some(count) {
            return Err(KeyError(
                "the table has another number of columns than at the start",
            ));
        }
        let mut layouts = Vec::with_capacity(count);
        for position in 0..count {
            let column_type = match map.get_column_type(position) {
                Ok(Some(column_type)) => column_type,
                Ok(None) | Err(_) => return Err(KeyError("a column type that isn't known")),
            };
            let meta = map.get_column_metadata(position).unwrap_or_default();
            let byte = |at: usize| meta.get(at).copied().unwrap_or_default();
            layouts.push(Layout {
                column_type,
                meta: [byte(0), byte(1)],
            });
        }
        Self::of(&layouts, columns)
    }

    fn of(layouts: &[Layout], columns: &[KeyColumn]) -> Result<Self, KeyError> {
        let place = |position| columns.iter().position(|column| column.ordinal == position);
        let fields = layouts.iter().enumerate().map(|(position, layout)| Field {
            width: width(layout),
            place: place(position),
        });
        let json = |layout: &&Layout| layout.column_type == T::MYSQL_TYPE_JSON;
        let of_key = |column: &KeyColumn| {
            let layout = layouts.get(column.ordinal).copied();
            let layout = layout.ok_or(KeyError("the table has no such key column"))?;
            Ok((layout, column.clone()))
        };
        Ok(Self {
            after_only: false,
            fields: fields.collect(),
            json: layouts.iter().filter(json).count(),
            columns: columns
                .iter()
                .map(of_key)
                .collect::<Result<_, KeyError>>()?,
        })
    }

    /// The same for rows of which only what they have become matters.
    #[must_use]
    pub fn after_only(self) -> Self {
        Self {
            after_only: true,
            ..self
        }
    }

    /// The keys of the rows of an event, one after another.
    pub fn rows<'r>(&'r self, rows: &'r RowsEventData<'_>) -> Rows<'r> {
        let before = rows.columns_before_image();
        let after = rows.columns_after_image();
        Rows {
            reader: self,
            rest: rows.rows_data(),
            partial: matches!(rows, RowsEventData::PartialUpdateRowsEvent(_)),
            before: before.map(|bits| Image::new(self, bits.iter().by_vals())),
            after: after.map(|bits| Image::new(self, bits.iter().by_vals())),
            encoder: Encoder::default(),
        }
    }

    /// The options in front of a partial after-image and the bitmap of the JSON columns that hold
    /// differences; a difference is as long as its length says, so which ones doesn't matter.
    fn skip_partial_json(&self, rest: &mut &[u8]) -> Result<(), KeyError> {
        if number(take(rest, 1)?) & 1 == 1 {
            take(rest, self.json.div_ceil(8))?;
        }
        Ok(())
    }

    /// The key whose values have these bytes.
    fn key(&self, values: &[Option<&[u8]>], encoder: &mut Encoder) -> Result<Key, KeyError> {
        for ((layout, column), bytes) in self.columns.iter().zip(values) {
            let bytes = bytes.ok_or(KeyError(
                "a row image without the key (binlog_row_image=MINIMAL, and the key is not the \
                 primary key or took its default)",
            ))?;
            encoder.add(&value(layout, column, bytes)?);
        }
        Ok(encoder.key())
    }
}

/// The rows of an event, of which the keys are taken.
pub struct Rows<'r> {
    reader: &'r KeyReader,
    rest: &'r [u8],
    partial: bool,
    before: Option<Image<'r>>,
    after: Option<Image<'r>>,
    encoder: Encoder,
}

/// One image of the present row.
struct Image<'r> {
    /// The columns that are in it, and their number.
    present: Vec<bool>,
    shown: usize,
    /// The bytes of the key's values, if they are there.
    values: Vec<Option<&'r [u8]>>,
}

impl<'r> Image<'r> {
    fn new(reader: &KeyReader, present: impl Iterator<Item = bool>) -> Self {
        let present: Vec<bool> = present.collect();
        Self {
            shown: present.iter().filter(|shown| **shown).count(),
            present,
            values: vec![None; reader.columns.len()],
        }
    }

    /// Walks the image of the next row.
    fn read(&mut self, fields: &[Field], rest: &mut &'r [u8]) -> Result<(), KeyError> {
        let nulls = take(rest, self.shown.div_ceil(8))?;
        self.values.fill(None);
        let mut position = 0;
        for (field, shown) in fields.iter().zip(&self.present) {
            if !shown {
                continue;
            }
            let null = is_set(nulls, position);
            position += 1;
            if null {
                if field.place.is_some() {
                    return Err(KeyError("NULL in a key column"));
                }
                continue;
            }
            let bytes = match field.width {
                Width::Fixed(bytes) => take(rest, bytes)?,
                Width::Counted(bytes) => counted(rest, bytes)?,
                Width::Unknown => return Err(KeyError("a column type that can't be read")),
            };
            if let Some(place) = field.place
                && let Some(slot) = self.values.get_mut(place)
            {
                *slot = Some(bytes);
            }
        }
        Ok(())
    }
}

impl Rows<'_> {
    fn row(&mut self) -> Result<RowKeys, KeyError> {
        let reader = self.reader;
        if let Some(image) = &mut self.before {
            image.read(&reader.fields, &mut self.rest)?;
        }
        if let Some(image) = &mut self.after {
            if self.partial {
                reader.skip_partial_json(&mut self.rest)?;
            }
            image.read(&reader.fields, &mut self.rest)?;
        }
        let old = self.before.as_ref().map(|image| image.values.as_slice());
        let before = match old {
            Some(values) if !reader.after_only => Some(reader.key(values, &mut self.encoder)?),
            Some(_) | None => None,
        };
        let after = match &mut self.after {
            Some(image) => {
                complete(&mut image.values, old);
                // An update seldom moves its row.
                Some(match &before {
                    Some(key) if old == Some(image.values.as_slice()) => key.clone(),
                    Some(_) | None => reader.key(&image.values, &mut self.encoder)?,
                })
            }
            None => None,
        };
        Ok(RowKeys { before, after })
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RowKeys, KeyError>;

    /// The keys of the next row; behind an error nothing can be read.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let row = self.row();
        if row.is_err() {
            self.rest = &[];
        }
        Some(row)
    }
}

/// What an after-image leaves out is as in the before-image.
fn complete<'r>(after: &mut [Option<&'r [u8]>], before: Option<&[Option<&'r [u8]>]>) {
    for (value, other) in after.iter_mut().zip(before.unwrap_or_default()) {
        *value = value.or(*other);
    }
}

fn is_set(bits: &[u8], position: usize) -> bool {
    bits.get(position / 8)
        .is_some_and(|byte| byte >> (position % 8) & 1 == 1)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], KeyError> {
    let (head, tail) = rest
        .split_at_checked(count)
        .ok_or(KeyError("a row image cut short"))?;
    *rest = tail;
    Ok(head)
}

/// Little-endian.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn counted<'a>(rest: &mut &'a [u8], width: usize) -> Result<&'a [u8], KeyError> {
    let length = number(take(rest, width)?);
    take(
        rest,
        usize::try_from(length).map_err(|_| KeyError("a length beyond memory"))?,
    )
}

fn fraction_bytes(digits: u8) -> usize {
    usize::from(digits).div_ceil(2)
}

fn width(layout: &Layout) -> Width {
    let [one, two] = layout.meta;
    let length_of = |longest: usize| Width::Counted(if longest < 256 { 1 } else { 2 });
    match layout.column_type {
        T::MYSQL_TYPE_TINY | T::MYSQL_TYPE_YEAR => Width::Fixed(1),
        T::MYSQL_TYPE_SHORT => Width::Fixed(2),
        T::MYSQL_TYPE_INT24 | T::MYSQL_TYPE_NEWDATE | T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_TIME => {
            Width::Fixed(3)
        }
        T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_FLOAT | T::MYSQL_TYPE_TIMESTAMP => Width::Fixed(4),
        T::MYSQL_TYPE_LONGLONG | T::MYSQL_TYPE_DOUBLE | T::MYSQL_TYPE_DATETIME => Width::Fixed(8),
        T::MYSQL_TYPE_TIMESTAMP2 => Width::Fixed(4 + fraction_bytes(one)),
        T::MYSQL_TYPE_DATETIME2 => Width::Fixed(5 + fraction_bytes(one)),
        T::MYSQL_TYPE_TIME2 => Width::Fixed(3 + fraction_bytes(one)),
        T::MYSQL_TYPE_NEWDECIMAL => Width::Fixed(decimal_bytes(one, two)),
        T::MYSQL_TYPE_BIT => {
            Width::Fixed((usize::from(two) * 8 + usize::from(one)).div_ceil(8))
        }
        T::MYSQL_TYPE_ENUM | T::MYSQL_TYPE_SET => Width::Fixed(usize::from(two)),
        // The upper bits of long lengths are kept in the type byte, inverted.
        T::MYSQL_TYPE_STRING if one & 0x30 == 0x30 => length_of(usize::from(two)),
        T::MYSQL_TYPE_STRING => {
            length_of(usize::from(two) | (usize::from(one & 0x30 ^ 0x30) << 4))
        }
        T::MYSQL_TYPE_VARCHAR | T::MYSQL_TYPE_VAR_STRING => {
            length_of(usize::from(u16::from_le_bytes([one, two])))
        }
        T::MYSQL_TYPE_TINY_BLOB
        | T::MYSQL_TYPE_BLOB
        | T::MYSQL_TYPE_MEDIUM_BLOB
        | T::MYSQL_TYPE_LONG_BLOB
        | T::MYSQL_TYPE_GEOMETRY
        | T::MYSQL_TYPE_VECTOR
        // A JSON difference has the same length in front as a whole document.
        | T::MYSQL_TYPE_JSON => Width::Counted(usize::from(one)),
        _ => Width::Unknown,
    }
}

/// Nine digits take four bytes, fewer take these (MySQL internals, `decimal2bin`).
fn decimal_bytes(precision: u8, scale: u8) -> usize {
    const LEFT_OVER: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let part =
        |digits: usize| digits / 9 * 4 + LEFT_OVER.get(digits % 9).copied().unwrap_or_default();
    part(usize::from(precision.saturating_sub(scale))) + part(usize::from(scale))
}

fn value(layout: &Layout, column: &KeyColumn, bytes: &[u8]) -> Result<KeyValue, KeyError> {
    let digits = layout.meta[0];
    let text = match layout.column_type {
        T::MYSQL_TYPE_TINY
        | T::MYSQL_TYPE_SHORT
        | T::MYSQL_TYPE_INT24
        | T::MYSQL_TYPE_LONG
        | T::MYSQL_TYPE_LONGLONG => {
            let raw = number(bytes);
            // Signedness is the catalogue's word: the event doesn't always have it.
            return Ok(if column.kind == KeyKind::Int {
                let shift = 64 - 8 * u32::try_from(bytes.len()).unwrap_or(8);
                KeyValue::Int((raw << shift).cast_signed() >> shift)
            } else {
                KeyValue::UInt(raw)
            });
        }
        T::MYSQL_TYPE_DOUBLE => return Ok(KeyValue::double(f64::from_bits(number(bytes)))),
        T::MYSQL_TYPE_YEAR => {
            let raw = number(bytes);
            return Ok(KeyValue::UInt(if raw == 0 { 0 } else { 1900 + raw }));
        }
        T::MYSQL_TYPE_BIT => return Ok(KeyValue::UInt(big_endian(bytes))),
        T::MYSQL_TYPE_ENUM | T::MYSQL_TYPE_SET => return Ok(KeyValue::UInt(number(bytes))),
        T::MYSQL_TYPE_STRING | T::MYSQL_TYPE_VARCHAR | T::MYSQL_TYPE_VAR_STRING => {
            let mut bytes = bytes.to_vec();
            if let Some(length) = column.binary_length
                && bytes.len() < length
            {
                bytes.resize(length, 0);
            }
            return Ok(KeyValue::Bytes(bytes));
        }
        T::MYSQL_TYPE_NEWDECIMAL => decimal(bytes, layout.meta)?,
        T::MYSQL_TYPE_NEWDATE | T::MYSQL_TYPE_DATE => date(number(bytes)),
        T::MYSQL_TYPE_DATETIME2 => datetime(bytes, digits),
        T::MYSQL_TYPE_TIMESTAMP2 => timestamp(bytes, digits),
        T::MYSQL_TYPE_TIME2 => time(bytes, digits),
        _ => return Err(KeyError("a key column of a type that can't be read")),
    };
    Ok(KeyValue::Bytes(text.into_bytes()))
}

fn decimal(mut bytes: &[u8], [precision, scale]: [u8; 2]) -> Result<String, KeyError> {
    Decimal::read_bin(
        &mut bytes,
        usize::from(precision),
        usize::from(scale),
        false,
    )
    .map(|decimal| decimal.to_string())
    .map_err(|_| KeyError("a decimal that can't be read"))
}

fn date(packed: u64) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        packed >> 9,
        packed >> 5 & 15,
        packed & 31
    )
}

/// `.ffffff` with as many digits as the column has; stored in pairs of digits.
fn fraction(digits: u8, stored: u64) -> String {
    if digits == 0 {
        return String::new();
    }
    let pairs = fraction_bytes(digits) * 2;
    let text = format!("{stored:0pairs$}");
    format!(".{}", text.get(..usize::from(digits)).unwrap_or(&text))
}

fn datetime(bytes: &[u8], digits: u8) -> String {
    let (whole, part) = bytes.split_at_checked(5).unwrap_or((bytes, &[]));
    let packed = big_endian(whole).wrapping_sub(0x80_0000_0000);
    let (day, clock) = (packed >> 17, packed & 0x1_ffff);
    let month = day >> 5;
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}{}",
        month / 13,
        month % 13,
        day & 31,
        clock >> 12,
        clock >> 6 & 63,
        clock & 63,
        fraction(digits, big_endian(part)),
    )
}

fn timestamp(bytes: &[u8], digits: u8) -> String {
    let (whole, part) = bytes.split_at_checked(4).unwrap_or((bytes, &[]));
    let (seconds, part) = (big_endian(whole), big_endian(part));
    let moment = if seconds == 0 && part == 0 {
        "0000-00-00 00:00:00".to_owned()
    } else {
        crate::report::time::utc(seconds)
    };
    moment + &fraction(digits, part)
}

/// Stored as one big-endian number, offset by half its range; negative times count down from it.
fn time(bytes: &[u8], digits: u8) -> String {
    let width = 8 * fraction_bytes(digits);
    let raw = i128::from(big_endian(bytes)) - (1_i128 << (23 + width));
    let size = raw.unsigned_abs();
    let clock = size >> width;
    let part = u64::try_from(size & ((1_u128 << width) - 1)).unwrap_or_default();
    format!(
        "{}{:02}:{:02}:{:02}{}",
        if raw < 0 { "-" } else { "" },
        clock >> 12 & 0x3ff,
        clock >> 6 & 63,
        clock & 63,
        fraction(digits, part),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::key::{encode, write_literal};

    fn column(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: "k".into(),
            ghost_name: "k".into(),
            ordinal: 0,
            kind,
            data_type: "int".into(),
            charset: None,
            collation: None,
            ghost_text: None,
            binary_length: None,
        }
    }

    fn read(column_type: T, meta: [u8; 2], kind: KeyKind, bytes: &[u8]) -> String {
        let layout = Layout { column_type, meta };
        match value(&layout, &column(kind), bytes) {
            Ok(KeyValue::Int(number)) => number.to_string(),
            Ok(KeyValue::UInt(number)) => number.to_string(),
            Ok(value @ KeyValue::Double(_)) => {
                let mut text = String::new();
                write_literal(&mut text, &value, &column(kind));
                text
            }
            Ok(KeyValue::Bytes(text)) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn doubles_are_read_by_their_bits() {
        for (number, expected) in [(-1.5_f64, "-1.5e0"), (-0.0, "0e0"), (5e-324, "5e-324")] {
            let bytes = number.to_le_bytes();
            let text = read(T::MYSQL_TYPE_DOUBLE, [8, 0], KeyKind::Double, &bytes);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn three_byte_integers_keep_their_sign() {
        let minus_one = [0xff, 0xff, 0xff];
        assert_eq!(
            read(T::MYSQL_TYPE_INT24, [0; 2], KeyKind::Int, &minus_one),
            "-1"
        );
        assert_eq!(
            read(T::MYSQL_TYPE_INT24, [0; 2], KeyKind::UInt, &minus_one),
            "16777215"
        );
    }

    #[test]
    fn negative_times_with_fractions_are_exact() {
        // -00:00:01.5 in TIME(2): 0x800000.00 - 1.50 seconds.
        let stored = (0x80_0000_u32 << 8) - ((1 << 8) + 50);
        let bytes = stored.to_be_bytes();
        assert_eq!(
            read(T::MYSQL_TYPE_TIME2, [2, 0], KeyKind::Time, &bytes),
            "-00:00:01.50"
        );
        assert_eq!(
            read(T::MYSQL_TYPE_TIME2, [0, 0], KeyKind::Time, &[0x80, 0, 1]),
            "00:00:01"
        );
    }

    #[test]
    fn moments_are_read_in_utc_with_their_digits() {
        let mut bytes = 1_795_256_472_u32.to_be_bytes().to_vec();
        bytes.extend(1_230_u16.to_be_bytes());
        assert_eq!(
            read(T::MYSQL_TYPE_TIMESTAMP2, [3, 0], KeyKind::Timestamp, &bytes),
            "2026-11-21 10:21:12.123"
        );
        assert_eq!(
            read(
                T::MYSQL_TYPE_TIMESTAMP2,
                [0, 0],
                KeyKind::Timestamp,
                &[0; 4]
            ),
            "0000-00-00 00:00:00"
        );
        assert_eq!(
            read(
                T::MYSQL_TYPE_DATETIME2,
                [0, 0],
                KeyKind::DateTime,
                &[0x80, 0, 0, 0, 0]
            ),
            "0000-00-00 00:00:00"
        );
    }

    #[test]
    fn binary_keys_get_their_zeros_back() {
        let layout = Layout {
            column_type: T::MYSQL_TYPE_STRING,
            meta: [0xfe, 4],
        };
        let column = KeyColumn {
            binary_length: Some(4),
            ..column(KeyKind::Bytes)
        };
        let read = value(&layout, &column, &[7]);
        assert!(matches!(read, Ok(KeyValue::Bytes(bytes)) if bytes == [7, 0, 0, 0]));
    }

    #[test]
    fn an_after_image_without_the_key_takes_it_from_before() {
        let layout = Layout {
            column_type: T::MYSQL_TYPE_LONG,
            meta: [0; 2],
        };
        let columns = [0, 1].map(|ordinal| KeyColumn {
            ordinal,
            ..column(KeyKind::Int)
        });
        let reader = KeyReader::of(&[layout; 2], &columns).expect("two integers");
        let (one, two, three) = (
            1_u32.to_le_bytes(),
            2_u32.to_le_bytes(),
            3_u32.to_le_bytes(),
        );
        let before: [Option<&[u8]>; 2] = [Some(&one), Some(&two)];
        let read = |before: Option<&[Option<&[u8]>]>| {
            let mut after: [Option<&[u8]>; 2] = [None, Some(&three)];
            complete(&mut after, before);
            reader.key(&after, &mut Encoder::default())
        };
        assert_eq!(
            read(Some(&before)),
            Ok(encode(&[KeyValue::Int(1), KeyValue::Int(3)]))
        );
        assert!(read(None).is_err(), "an insert has nothing to take it from");
    }

    #[test]
    fn decimals_take_the_bytes_the_server_packs() {
        assert_eq!(decimal_bytes(20, 4), 8 + 2);
        assert_eq!(decimal_bytes(65, 30), 16 + 14);
        assert_eq!(decimal_bytes(9, 0), 4);
    }
}
