//! What is said over the control socket: paths, requests and answers as JSON, version 1.
//!
//! Every answer is a [`Document`]: one JSON object whose first key is `"schema": 1`. Addresses are written as in RFC
//! 5952, times as in RFC 3339. Keys may be added within a version; none changes its name or meaning. The command line
//! prints the same documents with `--json`, so a script can speak to either.
//!
//! | call | request | answer |
//! | --- | --- | --- |
//! | GET [`path::STATUS`] | | [`Status`] |
//! | GET [`path::WHO`] | | [`Who`] |
//! | GET [`path::COUNTERS`] | | [`Counters`] |
//! | GET [`path::EVIDENCE`] | | the role's evidence, as `sixgate-doctor` has it |
//! | GET [`path::TOKENS`] | | [`TokenList`] |
//! | POST [`path::TOKENS`] | [`TokenRequest`] | [`NewToken`] |
//! | POST [`path::TOKEN_REVOKE`] | [`TokenName`] | [`Revoked`] |
//! | POST [`path::CLIENT_REMOVE`] | [`TokenName`] | [`Revoked`] |
//! | POST [`path::CAPTURE`] | [`CaptureRequest`] | [`CaptureLine`]s |
//! | POST [`path::TRACE`] | [`TraceRequest`] | [`Trace`] |
//! | POST [`path::FLOWS`] | [`FlowsOf`] | [`Flows`] |
//! | POST [`path::ISATAP_SUGGEST`] | [`SuggestRequest`] | [`Suggestions`] |
//! | GET [`path::ISATAP_HOSTS`] | | [`IsatapHosts`] |
//! | GET [`path::ISATAP_ROUTER`] | | [`IsatapRouter`] |
//! | GET [`path::ISATAP_ALLOW`] | | [`AllowList`] |
//! | POST [`path::ISATAP_ALLOW`] | [`AllowRequest`] | [`Changed`] |
//! | POST [`path::ISATAP_DENY`], [`path::ISATAP_FORGET`] | [`HostsRequest`] | [`Changed`] |
//! | GET [`path::NATIVE`] | | [`Native`] |
//! | GET [`path::ISATAP_RETIRE`] | | [`Retirement`] |
//! | POST [`path::ISATAP_RETIRE_PLAN`] | [`RetirePlan`] | [`Retirement`] |
//! | POST [`path::ISATAP_RETIRE`] | [`RetireRequest`] | [`Retired`] |
//! | POST [`path::NAT64_SESSIONS`], [`path::NAT64_BIB`], [`path::NAT64_POOLS`] | [`Nat64Wanted`]; GET asks for all | [`Nat64Sessions`], [`Nat64Bib`], [`Nat64Pools`] |
//! | GET [`path::NAT64_ADDRESSING`] | | [`Nat64Addressing`] |
//! | POST [`path::NAT64_EXPLAIN`] | [`Nat64Question`] | [`Nat64Explanation`] |
//! | POST [`path::NAT64_WHO`] | [`Nat64WhoQuestion`] | [`Nat64Who`] |
//! | POST [`path::DNS64_EXPLAIN`] | [`Question`] | [`Explanation`] |
//! | GET [`path::DNS64_STATUS`] | | [`Resolver`] |
//! | POST [`path::CLIENT_RENEW`] | | [`Renewed`] |
//! | GET [`path::NRPT`] | | [`Nrpt`] |
//! | POST [`path::NRPT_TEST`] | [`Question`] | [`Steering`] |
//! | anything that fails | | [`Failure`] |
#![forbid(unsafe_code)]

mod allow;
mod capture;
mod counters;
mod document;
pub mod enrol;
mod flows;
mod isatap;
mod names;
mod nat64;
mod native;
pub mod path;
mod port_log;
mod retire;
mod status;
mod suggest;
mod tokens;
mod trace;
mod who;

pub use allow::{
    AllowList, AllowRequest, AllowedBy, AllowedHosts, AllowedKind, Change, Changed, ChangedHost, DeniedHost,
    HostsRequest,
};
pub use capture::{
    CaptureDirection, CaptureEnd, CaptureInterface, CaptureLine, CapturePacket, CaptureRequest,
    CaptureVerdict,
};
pub use counters::Counters;
pub use document::{Document, Failure, Fault};
pub use flows::{Flow, Flows, FlowsOf};
pub use isatap::{HostState, IsatapHost, IsatapHosts, IsatapRouter};
pub use jiff::Timestamp;
pub use names::{
    Answer, Explanation, Nrpt, NrptRule, Question, Resolver, ResolverCache, ResolverName, ResolverQuestions,
    ResolverUpstream, Route, Steering, Step,
};
pub use nat64::{
    Binding, ExplainedBinding, Mapping, Nat64Addressing, Nat64Bib, Nat64Explanation, Nat64Holder,
    Nat64Packet, Nat64Pools, Nat64Question, Nat64Sessions, Nat64Verdict, Nat64Wanted, Nat64Who,
    Nat64WhoQuestion, Pool, Session,
};
pub use native::{Native, NativeInterface};
pub use port_log::{Holders, PortRecord, PortRecordEvent};
pub use retire::{
    HostStanding, HostUse, KnownName, RetireHost, RetirePhase, RetirePlan, RetireRequest, RetireUpdate,
    Retired, Retirement, StaleRecord, Straggler,
};
pub use status::{
    ClientState, ClientStatus, Component, ComponentState, GatewayStatus, HostStatus, Renewed, RouterLink,
    RouterName, Status,
};
pub use suggest::{AskingHost, IdleHost, NativeHost, NeedsIsatap, SuggestRequest, Suggestions};
pub use tokens::{NewToken, Revoked, Token, TokenList, TokenName, TokenRequest, TokenState};
pub use trace::{Trace, TraceEnd, TraceRequest, TraceStep, TraceVerdict};
pub use who::{Client, Who};
