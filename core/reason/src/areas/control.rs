//! 600 to 699: enrolment and the control plane.

reasons! {
    600 TOKEN_UNKNOWN "token-unknown" "enrolment token that was never issued or is forged";
    601 TOKEN_USED "token-used" "enrolment token that was used before";
    602 TOKEN_EXPIRED "token-expired" "enrolment token that is expired";
    603 TOKEN_REVOKED "token-revoked" "enrolment token that was revoked";
    604 ENROL_REQUEST_INVALID "enrol-request-invalid" "enrolment request that cannot be parsed or has a wrong signature";
    605 ENROL_LIMITED "enrol-limited" "enrolment requests above the rate limit";
}
