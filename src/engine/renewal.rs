//! A password that changes while the run goes on: the option file is read again on SIGHUP.

use std::sync::Arc;

use tokio::sync::watch;

use crate::cli::option_file::OptionFile;
use crate::config::Config;
use crate::mysql::address::Credentials;
use crate::report::Reporter;

/// Reads the option file again, in the background: disks can hang.
pub(super) fn on_hang_up(
    config: Arc<Config>,
    renewal: watch::Sender<Credentials>,
    reporter: Reporter,
) -> impl Fn() + Send {
    let renewal = Arc::new(renewal);
    move || {
        let (config, renewal, reporter) = (config.clone(), renewal.clone(), reporter.clone());
        drop(tokio::task::spawn_blocking(move || {
            renew(&config, &renewal, &reporter);
        }));
    }
}

fn renew(config: &Config, renewal: &watch::Sender<Credentials>, reporter: &Reporter) {
    let Some(conf) = &config.conf else {
        reporter.info("HUP: user and password don't come from --conf; nothing to read again");
        return;
    };
    let file = match OptionFile::load(&conf.path) {
        Ok(file) => file,
        Err(problem) => {
            reporter.warn(format!(
                "HUP: user and password stay as they are: {problem}"
            ));
            return;
        }
    };
    let value = |name, from_file: bool, otherwise: &str| {
        let found = file.get(name).filter(|_| from_file);
        found.unwrap_or(otherwise).to_owned()
    };
    renewal.send_replace(Credentials {
        user: value("user", conf.user, &config.user),
        password: value("password", conf.password, &config.password),
    });
    reporter.info(format!(
        "HUP: new connections use user and password of {}",
        conf.path.display()
    ));
}
