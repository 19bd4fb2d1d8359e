//! The verification that follows the copy: every chunk once, and never far behind.

use super::chunk::Chunk;
use super::*;

/// Runs a copy of chunks of one row to its end; whenever there is a choice of what comes back first,
/// `pick` decides. Returns the chunks copied and compared.
fn copied_and_compared(rows: u8, mut pick: impl FnMut(usize) -> usize) -> (Vec<Chunk>, Vec<Chunk>) {
    let mut core = Core::new(Settings {
        copy_workers: 2,
        compare_behind_copy: true,
        ..Settings::of_tests()
    });
    let (mut copied, mut compared, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut commands = core.step(Event::BarrierPassed);
    while core.phase == Phase::Copying || !core.verification.chunks_done() {
        out.extend(commands);
        assert!(!out.is_empty(), "it stands still");
        let picked = pick(out.len());
        commands = match out.remove(picked) {
            Command::FindChunkEnd { scan, after, .. } => {
                assert_eq!(scan, Scan::Copy, "the verification looks nothing up");
                let next = after.map_or(1, |key| key.encoded().first().map_or(1, |at| at + 1));
                let end = (next < rows).then(|| (Key::from_bytes(&[next]), 0));
                core.step(Event::ChunkEndFound(scan, end))
            }
            Command::Copy(job) => {
                copied.push(job.chunk.clone());
                core.step(Event::Copied(job.outcome(), 0))
            }
            Command::Compare(_, chunk) => {
                assert!(copied.contains(&chunk), "compared before it was copied");
                compared.push(chunk.clone());
                core.step(Event::Compared(chunk.id, 1, Vec::new(), 0))
            }
            Command::WaitForBarrier
            | Command::Refresh(_)
            | Command::Check(..)
            | Command::BuildIndexes
            | Command::ComparePlans
            | Command::WriteCheckpoint(_)
            | Command::WriteMarker(_)
            | Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => core.step(Event::Tick(0)),
        };
    }
    copied.sort_by_key(|chunk| chunk.id);
    compared.sort_by_key(|chunk| chunk.id);
    (copied, compared)
}

#[test]
fn every_chunk_is_compared_once_whatever_comes_back_first() {
    for order in 0..60_usize {
        let mut state = order;
        let (copied, compared) = copied_and_compared(9, |of| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            (state >> 33) % of
        });
        assert_eq!(copied, compared);
        assert_eq!(copied.first().map(|chunk| &chunk.after), Some(&None));
        assert_eq!(copied.last().map(|chunk| &chunk.upto), Some(&None));
    }
}

#[test]
fn the_copy_waits_for_a_verification_that_cannot_follow() {
    let mut copies = 0;
    let mut core = Core::new(Settings {
        compare_behind_copy: true,
        ..Settings::of_tests()
    });
    let mut commands: VecDeque<Command> = core.step(Event::BarrierPassed).into();
    let mut held = None;
    let mut next = 0_u8;
    while let Some(command) = commands.pop_front() {
        match command {
            Command::FindChunkEnd { .. } => {
                next += 1;
                let end = Some((Key::from_bytes(&[next]), 0));
                commands.extend(core.step(Event::ChunkEndFound(Scan::Copy, end)));
            }
            Command::Copy(job) => {
                copies += 1;
                commands.extend(core.step(Event::Copied(job.outcome(), 0)));
            }
            Command::Compare(_, chunk) if held.is_none() => {
                // More suspects than are kept: nothing is compared until they are explained.
                let keys = (0..limits::SUSPECT_KEYS_MAX)
                    .map(|number| Key::from_bytes(&number.to_be_bytes()))
                    .collect();
                held = Some(chunk.id);
                commands.extend(core.step(Event::Compared(chunk.id, 0, keys, 0)));
            }
            Command::WaitForBarrier
            | Command::Refresh(_)
            | Command::Compare(..)
            | Command::Check(..)
            | Command::BuildIndexes
            | Command::ComparePlans
            | Command::WriteCheckpoint(_)
            | Command::WriteMarker(_)
            | Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => {}
        }
    }
    assert!(
        copies <= limits::CHUNKS_TO_COMPARE_MAX + 3,
        "{copies} copies"
    );
}
