//! `--throttle-http`: a HEAD request over plain TCP, again and again.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Collectors;
use crate::control::Source;
use crate::control::http::{Answer, Target, reason, status_of};
use crate::control::throttle::one_line;
use crate::limits;

/// Asks until the run ends.
pub(super) async fn run(mut around: Collectors) {
    let mut voice = around.voice(Source::Http);
    loop {
        let settings = around.settings();
        let go_on = match &settings.http {
            Some(url) => {
                let why =
                    match Target::parse(url) {
                        Ok(target) => {
                            let answer =
                                match tokio::time::timeout(settings.http_timeout, head(&target))
                                    .await
                                {
                                    Ok(Ok(Some(code))) => Answer::Status(code),
                                    Ok(Ok(None) | Err(_)) | Err(_) => Answer::Failed,
                                };
                            reason(url, answer, settings.ignore_http_errors)
                        }
                        Err(wrong) => Some(one_line(&format!("throttle-http {wrong}"))),
                    };
                voice.say(why).await;
                around.wait(settings.http_interval).await
            }
            None => {
                voice.say(None).await;
                around.wait_for_settings().await
            }
        };
        if !go_on {
            return;
        }
    }
}

/// The status code that a server answers, or `None` when it doesn't speak HTTP.
async fn head(target: &Target) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    stream.write_all(target.request().as_bytes()).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < limits::HTTP_ANSWER_BYTES {
        match stream.read(&mut piece).await? {
            0 => break,
            count => answer.extend(piece.iter().take(count)),
        }
    }
    Ok(status_of(&answer))
}
