//! HTTP servers.

use super::listens;
use crate::error::LabError;
use crate::handle::Lab;

/// Files of every HTTP server.
pub(crate) const ROOT: &str = "/var/www/lab";

/// Starts nginx on `node`; `/` answers `greeting`.
pub(super) fn start(lab: &Lab, node: &str, listen: &str, greeting: &str) -> Result<(), LabError> {
    let config = format!(
        "worker_processes 1;\npid /run/nginx.pid;\nerror_log /var/log/nginx/error.log;\nevents {{}}\n\
         http {{\n  access_log /var/log/nginx/access.log;\n  default_type text/plain;\n\
         \x20 server {{ listen {listen}; root {ROOT}; index index.txt; }}\n}}\n"
    );
    lab.write(node, "/etc/nginx/nginx.conf", &config, false)?;
    lab.write(node, &format!("{ROOT}/index.txt"), greeting, false)?;
    lab.sh(node, "mkdir -p /var/log/nginx")?;
    lab.start(node, "nginx", &["nginx", "-g", "daemon off;"])?;
    listens(lab, node, "nginx", if listen == "80" { 80 } else { 8080 })
}
