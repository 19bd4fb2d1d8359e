//! Runs every folder of `testdata/cases` against a real server: what tableshift made of a table
//! must be what a plain ALTER TABLE makes of its twin. `CASE=name` runs one folder.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

mod compare;
mod folder;
#[cfg(test)]
mod page;
mod run;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use folder::Case;
use support::server::Server;

/// What a step of a case gives, or why it can't.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Cases that run at the same time; the server is the bottleneck.
const PARALLEL: usize = 2;

#[derive(Default)]
struct Results {
    passed: usize,
    failures: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    let wanted = std::env::var("CASE").ok();
    let folders = folder::folders(&root, wanted.as_deref()).expect("the case folders");
    // tableshift and the plain ALTER agree on time zones only if the server default is given.
    let zone = std::env::var("CASE_TIME_ZONE").unwrap_or("+00:00".into());
    let server = Arc::new(Server::start(&[&format!("--default-time-zone={zone}")]));
    let queue = Arc::new(Mutex::new(VecDeque::from(folders)));
    let results = Arc::new(Mutex::new(Results::default()));
    let workers: Vec<_> = (0..PARALLEL)
        .map(|_| tokio::spawn(work(server.clone(), queue.clone(), results.clone())))
        .collect();
    for worker in workers {
        worker.await.expect("a worker that ends");
    }
    let results = results.lock().expect("results");
    let summary = format!(
        "cases: {} passed, {} failed",
        results.passed,
        results.failures.len()
    );
    println!("{summary}");
    assert!(
        results.failures.is_empty(),
        "{summary}\n\n{}",
        results.failures.join("\n")
    );
}

async fn work(
    server: Arc<Server>,
    queue: Arc<Mutex<VecDeque<PathBuf>>>,
    results: Arc<Mutex<Results>>,
) {
    loop {
        let next = queue.lock().expect("the queue").pop_front();
        let Some(folder) = next else { return };
        // A task of its own: a panic fails the case, not the others.
        let outcome = tokio::spawn(run_folder(server.clone(), folder.clone())).await;
        let mut results = results.lock().expect("results");
        match outcome {
            Ok(Ok(())) => results.passed += 1,
            Ok(Err(error)) => results.failures.push(format!("{}: {error}", name(&folder))),
            Err(panic) => results.failures.push(format!("{}: {panic}", name(&folder))),
        }
    }
}

async fn run_folder(server: Arc<Server>, folder: PathBuf) -> Outcome<()> {
    let case = Case::read(&folder)?;
    run::run(&server, &case).await
}

fn name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into()
}
