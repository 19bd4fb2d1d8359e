//! The binary log's key decoder: rows and bytes a second, by what the rows look like.
//!
//! `cargo bench --bench decoder`. Each event has a hundred updated rows with both images whole, as a server
//! writes them, and is read by the library once; what is measured is our walk through its rows.

use criterion::{Criterion, Throughput};
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::{Event, EventData, FormatDescriptionEvent, TableMapEvent};
use tableshift::mysql::keys::KeyReader;
use tableshift::plan::key::{KeyColumn, KeyKind};

/// Rows of one event.
const ROWS: u32 = 100;

/// A column: its type's number and metadata (MySQL internals, "Table_map_event"), and its bytes in a row.
struct Column {
    kind: u8,
    meta: &'static [u8],
    bytes: fn(u32) -> Vec<u8>,
}

const INT: Column = Column {
    kind: 3,
    meta: &[],
    bytes: |row| row.to_le_bytes().into(),
};
const BIGINT: Column = Column {
    kind: 8,
    meta: &[],
    bytes: |row| u64::from(row).to_le_bytes().into(),
};
/// VARCHAR(50).
const NAME: Column = Column {
    kind: 15,
    meta: &[200, 0],
    bytes: |row| counted(1, format!("customer-{row:020}").as_bytes()),
};
/// TEXT with 200 bytes.
const TEXT: Column = Column {
    kind: 252,
    meta: &[2],
    bytes: |_| counted(2, &[b'x'; 200]),
};

fn counted(width: usize, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().to_le_bytes();
    [length.get(..width).expect("a width"), bytes].concat()
}

fn event(kind: u8, body: &[u8]) -> Event {
    let size = u32::try_from(19 + body.len()).expect("a small event");
    let mut bytes = vec![0; 4];
    bytes.push(kind);
    bytes.extend([0; 4]);
    bytes.extend(size.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    let description = FormatDescriptionEvent::new(BinlogVersion::Version4);
    Event::read(&description, bytes.as_slice()).expect("an event")
}

fn table_map(columns: &[Column]) -> Event {
    let mut body = vec![1, 0, 0, 0, 0, 0, 1, 0, 1, b'd', 0, 1, b't', 0];
    body.push(u8::try_from(columns.len()).expect("few columns"));
    body.extend(columns.iter().map(|column| column.kind));
    let meta: Vec<u8> = columns
        .iter()
        .flat_map(|column| column.meta)
        .copied()
        .collect();
    body.push(u8::try_from(meta.len()).expect("little metadata"));
    body.extend(meta);
    body.extend(vec![0; columns.len().div_ceil(8)]);
    event(19, &body)
}

fn updates(columns: &[Column]) -> Event {
    let bitmap = columns.len().div_ceil(8);
    let mut body = vec![1, 0, 0, 0, 0, 0, 1, 0, 2, 0];
    body.push(u8::try_from(columns.len()).expect("few columns"));
    body.extend(vec![0xff; 2 * bitmap]);
    for row in 0..ROWS {
        for _image in 0..2 {
            body.extend(vec![0; bitmap]);
            columns
                .iter()
                .for_each(|column| body.extend((column.bytes)(row)));
        }
    }
    event(31, &body)
}

fn key(ordinal: usize, kind: KeyKind) -> KeyColumn {
    KeyColumn {
        name: "k".into(),
        ghost_name: "k".into(),
        ordinal,
        kind,
        data_type: "int".into(),
        charset: None,
        collation: None,
        ghost_text: None,
        binary_length: None,
    }
}

fn read(criterion: &mut Criterion, name: &str, columns: &[Column], key: &[KeyColumn]) {
    let map = table_map(columns);
    let map: TableMapEvent<'_> = map.read_event().expect("a table map");
    let reader = KeyReader::new(&map, key, columns.len()).expect("a reader");
    let event = updates(columns);
    let Ok(Some(EventData::RowsEvent(rows))) = event.read_data() else {
        panic!("not the rows of an event");
    };
    let read = reader.rows(&rows).filter(Result::is_ok).count();
    assert_eq!(read, ROWS as usize, "every row is read");
    for (unit, throughput) in [
        ("rows", Throughput::Elements(ROWS.into())),
        ("bytes", Throughput::Bytes(event.data().len() as u64)),
    ] {
        let mut group = criterion.benchmark_group(format!("updated rows, in {unit}"));
        group.throughput(throughput);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                reader
                    .rows(&rows)
                    .for_each(|row| drop(std::hint::black_box(row)));
            });
        });
    }
}

fn wide(first: Option<Column>, last: Option<Column>) -> Vec<Column> {
    let middle = (0..100).map(|number| if number % 10 == 0 { TEXT } else { INT });
    first.into_iter().chain(middle).chain(last).collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let small = [INT, INT, TEXT];
    read(&mut criterion, "int key", &small, &[key(0, KeyKind::UInt)]);
    let pair = [BIGINT, INT, TEXT];
    let columns = [key(0, KeyKind::UInt), key(1, KeyKind::Int)];
    read(&mut criterion, "key of two numbers", &pair, &columns);
    let named = [NAME, INT, TEXT];
    read(
        &mut criterion,
        "text key",
        &named,
        &[key(0, KeyKind::Bytes)],
    );
    let first = wide(Some(BIGINT), None);
    read(
        &mut criterion,
        "101 columns, key first",
        &first,
        &[key(0, KeyKind::UInt)],
    );
    let last = wide(None, Some(BIGINT));
    read(
        &mut criterion,
        "101 columns, key last",
        &last,
        &[key(100, KeyKind::UInt)],
    );
    criterion.final_summary();
}
