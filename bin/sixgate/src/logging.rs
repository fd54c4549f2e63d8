//! Logs of the daemons: to standard error, filtered by `SIXGATE_LOG`, without colour.

use tracing_subscriber::EnvFilter;

/// Environment variable with a filter such as `debug` or `info,sixgate_role_gateway=trace`.
const VARIABLE: &str = "SIXGATE_LOG";

/// The netlink library warns of every attribute that grew since it was written; that is nobody's trouble.
const USUAL: &str = "info,netlink_packet_route=error";

/// Starts logging; later calls change nothing.
pub(crate) fn start() {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let usual = || EnvFilter::new(USUAL);
    let (filter, wrong) = match wanted.as_str() {
        "" => (usual(), None),
        wanted => match EnvFilter::try_new(wanted) {
            Ok(filter) => (filter, None),
            Err(e) => (usual(), Some(e)),
        },
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .try_init();
    if started.is_ok()
        && let Some(error) = wrong
    {
        tracing::warn!(%error, "{VARIABLE} is no filter; logging at info");
    }
}
