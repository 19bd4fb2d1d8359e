//! GTIDs between the driver's form and ours.

use mysql_async::binlog::events::GtidEvent;
use mysql_common::packets::{GnoInterval, Sid, Tag};

use crate::plan::gtid::{Gtid, GtidSet, Origin};

/// The transaction that begins.
pub(super) fn gtid_of(begins: &GtidEvent) -> Gtid {
    let tag = begins.tag().map(|tag| tag.as_str().to_owned());
    Gtid {
        origin: Origin {
            uuid: begins.sid(),
            tag: tag.unwrap_or_default(),
        },
        number: begins.gno(),
    }
}

/// The set as a dump takes it.
pub(super) fn sids(set: &GtidSet) -> Option<Vec<Sid<'static>>> {
    set.ranges()
        .map(|(origin, ranges)| {
            let mut sid = Sid::new(origin.uuid);
            if !origin.tag.is_empty() {
                sid = sid.with_tag(Tag::new(origin.tag.clone()).ok()?);
            }
            // The end of an interval is the number behind its last one.
            Some(ranges.iter().fold(sid, |sid, (first, last)| {
                sid.with_interval(GnoInterval::new(*first, last.saturating_add(1)))
            }))
        })
        .collect()
}
