//! One update message: a zone, what must hold, what changes (RFC 2136, section 2).

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, PushError};
use domain::base::name::ToName;
use domain::base::{MessageBuilder, Name, Ttl, UnknownRecordData};

use crate::random;

/// The data of one record: its type and its RDATA in wire form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    rtype: Rtype,
    octets: Vec<u8>,
}

impl Data {
    /// RDATA of any type, in wire form, names uncompressed; at most 65,535 octets, of which an update message holds fewer.
    #[must_use]
    pub const fn new(rtype: Rtype, octets: Vec<u8>) -> Self {
        Self { rtype, octets }
    }

    /// AAAA
    #[must_use]
    pub fn aaaa(address: std::net::Ipv6Addr) -> Self {
        Self::new(Rtype::AAAA, address.octets().to_vec())
    }

    /// PTR
    #[must_use]
    pub fn ptr(target: &Name<Vec<u8>>) -> Self {
        Self::new(Rtype::PTR, target.as_slice().to_vec())
    }

    /// DHCID (RFC 4701), of which there are type 49 and octets.
    #[must_use]
    pub const fn dhcid(octets: Vec<u8>) -> Self {
        Self::new(DHCID, octets)
    }
}

/// RFC 4701, section 3.1
pub(super) const DHCID: Rtype = Rtype::DHCID;

/// What happens to one zone. The order is kept: deletions and additions take effect one after the other.
#[derive(Clone, Debug)]
pub struct Update {
    zone: Name<Vec<u8>>,
    prerequisites: Vec<Line>,
    changes: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    name: Name<Vec<u8>>,
    class: Class,
    ttl: u32,
    data: Data,
}

impl Update {
    /// An update of this zone that asks and changes nothing.
    #[must_use]
    pub const fn of(zone: Name<Vec<u8>>) -> Self {
        Self { zone, prerequisites: Vec::new(), changes: Vec::new() }
    }

    /// The zone.
    #[must_use]
    pub const fn zone(&self) -> &Name<Vec<u8>> {
        &self.zone
    }

    /// RFC 2136, section 2.4.5: no record of any type at this name; else YXDOMAIN.
    #[must_use]
    pub fn if_name_unused(self, name: &Name<Vec<u8>>) -> Self {
        self.prerequisite(name, Class::NONE, Data::new(Rtype::ANY, Vec::new()))
    }

    /// RFC 2136, section 2.4.2: the name's records of this type are exactly these; else NXRRSET. All of them in one call.
    #[must_use]
    pub fn if_equal(self, name: &Name<Vec<u8>>, records: impl IntoIterator<Item = Data>) -> Self {
        records.into_iter().fold(self, |update, data| update.prerequisite(name, Class::IN, data))
    }

    /// RFC 2136, section 2.4.1: some record of this type; else NXRRSET.
    #[must_use]
    pub fn if_present(self, name: &Name<Vec<u8>>, rtype: Rtype) -> Self {
        self.prerequisite(name, Class::ANY, Data::new(rtype, Vec::new()))
    }

    /// RFC 2136, section 2.4.3: no record of this type; else YXRRSET.
    #[must_use]
    pub fn if_absent(self, name: &Name<Vec<u8>>, rtype: Rtype) -> Self {
        self.prerequisite(name, Class::NONE, Data::new(rtype, Vec::new()))
    }

    /// RFC 2136, section 2.5.1
    #[must_use]
    pub fn add(self, name: &Name<Vec<u8>>, ttl: u32, data: Data) -> Self {
        self.change(name, Class::IN, ttl, data)
    }

    /// RFC 2136, section 2.5.2: all records of this type.
    #[must_use]
    pub fn delete_all(self, name: &Name<Vec<u8>>, rtype: Rtype) -> Self {
        self.change(name, Class::ANY, 0, Data::new(rtype, Vec::new()))
    }

    /// RFC 2136, section 2.5.4: this record alone.
    #[must_use]
    pub fn delete(self, name: &Name<Vec<u8>>, data: Data) -> Self {
        self.change(name, Class::NONE, 0, data)
    }

    fn prerequisite(mut self, name: &Name<Vec<u8>>, class: Class, data: Data) -> Self {
        self.prerequisites.push(Line { name: name.clone(), class, ttl: 0, data });
        self
    }

    fn change(mut self, name: &Name<Vec<u8>>, class: Class, ttl: u32, data: Data) -> Self {
        self.changes.push(Line { name: name.clone(), class, ttl, data });
        self
    }

    /// The message under a new id, ready to be signed. Names are not compressed: TSIG's must not be, and servers differ
    /// about the rest.
    pub(super) fn message(&self) -> Result<AdditionalBuilder<Vec<u8>>, PushError> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(random::id());
        builder.header_mut().set_opcode(Opcode::UPDATE);
        let mut zone = builder.question();
        zone.push((&self.zone, Rtype::SOA, Class::IN))?;
        let mut prerequisites = zone.answer();
        for line in &self.prerequisites {
            prerequisites.push(line.record()?)?;
        }
        let mut changes = prerequisites.authority();
        for line in &self.changes {
            changes.push(line.record()?)?;
        }
        Ok(changes.additional())
    }
}

impl Line {
    fn record(&self) -> Result<(impl ToName + '_, Class, Ttl, UnknownRecordData<&[u8]>), PushError> {
        let data = UnknownRecordData::from_octets(self.data.rtype, self.data.octets.as_slice())
            .map_err(|_| PushError::ShortBuf)?;
        Ok((&self.name, self.class, Ttl::from_secs(self.ttl), data))
    }
}
