//! What is sent for one name (RFC 4703, section 5): claim it, take it over from ourselves, give it back.

use std::net::Ipv6Addr;

use domain::base::Name;
use domain::base::iana::{Rcode, Rtype};
use sixgate_io_dns::update::{Data, Update, UpdateError, Updater};
use sixgate_reason::{DNS_UPDATE_FOREIGN, Reason};

/// Seconds. An old answer must not outlive a client's move.
pub(super) const TTL: u32 = 60;

/// One name, and how to change it.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) updater: &'a Updater,
    pub(super) zone: &'a Name<Vec<u8>>,
    pub(super) name: &'a Name<Vec<u8>>,
    /// The DHCID record that says whose the name is.
    pub(super) claim: &'a Data,
    pub(super) address: Ipv6Addr,
}

/// Why a name is not as it should be.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) what: String,
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        Self { reason: error.reason(), what: error.to_string() }
    }
}

impl Steps<'_> {
    /// True when the name has our address and our claim.
    pub(super) async fn stands(&self) -> Result<bool, Failure> {
        let question =
            self.update().if_equal(self.name, [self.aaaa()]).if_equal(self.name, [self.claim.clone()]);
        held(self.updater.send(&question).await)
    }

    /// Gives the name our address, when it is nobody's or ours.
    pub(super) async fn put(&self) -> Result<(), Failure> {
        // A name may come or go between two of the messages: then the first is true again.
        for _ in 0..2 {
            let claim = self.update().if_name_unused(self.name).add(self.name, TTL, self.aaaa()).add(
                self.name,
                TTL,
                self.claim.clone(),
            );
            if held(self.updater.send(&claim).await)? {
                return Ok(());
            }
            let replace = self
                .update()
                .if_equal(self.name, [self.claim.clone()])
                .delete_all(self.name, Rtype::AAAA)
                .add(self.name, TTL, self.aaaa());
            if held(self.updater.send(&replace).await)? {
                return Ok(());
            }
        }
        Err(Failure {
            reason: DNS_UPDATE_FOREIGN,
            what: format!("{} belongs to somebody else; nothing was touched", self.name),
        })
    }

    /// Takes our address and our claim away, when both still stand. What has become somebody else's is left alone.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        let ours = || {
            self.update()
                .if_equal(self.name, [self.aaaa()])
                .if_equal(self.name, [self.claim.clone()])
                .delete(self.name, self.aaaa())
        };
        let whole = ours().if_absent(self.name, Rtype::A).delete_all(self.name, Rtype::DHCID);
        match self.updater.send(&whole).await {
            Ok(()) => Ok(()),
            // The claim stays while the name has another address.
            Err(UpdateError::Prerequisite(Rcode::YXRRSET)) => {
                held(self.updater.send(&ours()).await).map(drop)
            }
            Err(UpdateError::Prerequisite(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn update(&self) -> Update {
        Update::of(self.zone.clone())
    }

    fn aaaa(&self) -> Data {
        Data::aaaa(self.address)
    }
}

/// Whether the prerequisites held; other errors are failures.
pub(super) fn held(outcome: Result<(), UpdateError>) -> Result<bool, Failure> {
    match outcome {
        Ok(()) => Ok(true),
        Err(UpdateError::Prerequisite(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
