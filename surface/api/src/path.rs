//! Paths of the control socket.

/// GET: how the daemon is.
pub const STATUS: &str = "/v1/status";
/// GET: which clients have a session.
pub const WHO: &str = "/v1/who";
/// POST: where a connection would go.
pub const TRACE: &str = "/v1/trace";
/// POST: packets as they come, one JSON value a line.
pub const CAPTURE: &str = "/v1/capture";
/// POST: open flows, all or those of a prefix.
pub const FLOWS: &str = "/v1/flows";
/// GET: what `doctor` asks a daemon of itself.
pub const EVIDENCE: &str = "/v1/evidence";
/// GET: drops and refusals by reason.
pub const COUNTERS: &str = "/v1/counters";
/// GET: list; POST: a new token.
pub const TOKENS: &str = "/v1/tokens";
/// POST: a token, or all of a client, is worth nothing from then on.
pub const TOKEN_REVOKE: &str = "/v1/tokens/revoke";
/// POST: a client's certificate is worth nothing from then on, and its name leaves the DNS.
pub const CLIENT_REMOVE: &str = "/v1/clients/remove";
/// POST, on a client: ask for another certificate at once.
pub const CLIENT_RENEW: &str = "/v1/client/renew";
/// POST: who needs ISATAP, by what hosts did.
pub const ISATAP_SUGGEST: &str = "/v1/isatap/suggest";
/// GET: hosts that asked for ISATAP, served or refused.
pub const ISATAP_HOSTS: &str = "/v1/isatap/hosts";
/// GET: what a host of this router must know.
pub const ISATAP_ROUTER: &str = "/v1/isatap/router";
/// GET: who may have ISATAP; POST: let hosts have it.
pub const ISATAP_ALLOW: &str = "/v1/isatap/allow";
/// POST: take it from hosts, whatever the file says.
pub const ISATAP_DENY: &str = "/v1/isatap/deny";
/// POST: leave hosts to the file again.
pub const ISATAP_FORGET: &str = "/v1/isatap/forget";
/// GET: what a native host must know of this gateway.
pub const NATIVE: &str = "/v1/native";
/// GET: how a retirement of ISATAP stands; POST: its next step, or its undoing.
pub const ISATAP_RETIRE: &str = "/v1/isatap/retire";
/// POST: the same as GET, with what stands in the DNS.
pub const ISATAP_RETIRE_PLAN: &str = "/v1/isatap/retire/plan";
/// GET; POST: only some.
pub const NAT64_SESSIONS: &str = "/v1/nat64/sessions";
/// GET; POST: only some.
pub const NAT64_BIB: &str = "/v1/nat64/bib";
/// GET; POST: only some.
pub const NAT64_POOLS: &str = "/v1/nat64/pools";
/// GET: which address of one family stands for which of the other.
pub const NAT64_ADDRESSING: &str = "/v1/nat64/addressing";
/// POST: what would become of a packet.
pub const NAT64_EXPLAIN: &str = "/v1/nat64/explain";
/// POST: who has or had a port of the pool.
pub const NAT64_WHO: &str = "/v1/nat64/who";
/// POST: why a name has the addresses that it has.
pub const DNS64_EXPLAIN: &str = "/v1/dns64/explain";
/// GET: what the resolver has done, and how its upstreams stand.
pub const DNS64_STATUS: &str = "/v1/dns64/status";
/// GET: which names go where.
pub const NRPT: &str = "/v1/nrpt";
/// POST: where one name goes.
pub const NRPT_TEST: &str = "/v1/nrpt/test";
