//! The rules a file is held against; each has a stable code for programs.

macro_rules! rules {
    ($($name:ident $code:literal $text:literal;)*) => {
        /// A rule of the configuration.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Rule {
            $(#[doc = $text] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Lower case, words joined by hyphens; never changes.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// One line for a person.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rules! {
    Syntax "syntax" "the file is TOML";
    Schema "schema" "the file says `schema = 1`";
    Role "role" "a file is for one role and names something to do";
    UnknownKey "unknown-key" "every key is known";
    MissingKey "missing-key" "required keys are there";
    Type "type" "every value has the type of its key";
    NotInThisVersion "not-in-this-version" "only parts that this version has are asked for";
    Range "range" "numbers are within their range";
    Choice "choice" "a word is one of those allowed";
    Address "address" "addresses are addresses";
    Endpoint "endpoint" "an endpoint is an address and a port";
    Prefix "prefix" "prefixes are address/length, without bits behind the length";
    PrefixLength "prefix-length" "prefixes have a length that their use allows";
    PrefixUse "prefix-use" "prefixes and addresses are of a kind that their use allows";
    Overlap "overlap" "prefixes of different uses have no address in common";
    Name "name" "DNS names are well formed";
    Device "device" "names of devices fit the kernel and are used once";
    RouterName "router-name" "the ISATAP router's name does not begin with the label `isatap`";
    Url "url" "a gateway is named by an https URL, a directory by an ldap or ldaps URL, without a path";
    Path "path" "paths are not empty";
    Empty "empty" "lists have an element where one is needed";
    Twice "twice" "nothing is listed twice";
    PoolEntry "pool-entry" "a pool entry is [proto/]address-or-prefix[:ports]";
    Ports "ports" "ports are a number or a range from low to high";
    Static "static" "a static binding is `proto IPv4:port = [IPv6]:port` and has its address in the pool";
    Mapping "mapping" "a mapping is `IPv6-prefix = IPv4-prefix`, with no more bits behind the IPv4 length than behind the IPv6 one";
    Timeout "timeout" "timeouts are not below the floors of the RFCs";
    Lifetime "lifetime" "the preferred lifetime is not above the valid one";
    Needs "needs" "a section has the sections that it rests on";
    Conflict "conflict" "keys that exclude each other are not both there";
    Selector "selector" "a policy names groups, names, prefixes, `clients`, `intranet` or `any`";
    Unreachable "unreachable" "every policy rule can match something";
    Uncovered "uncovered" "clients may open connections to the intranet";
    Dn "dn" "distinguished names are TYPE=value between commas";
    Nobody "nobody" "somebody is served";
    Unsigned "unsigned" "updates of the DNS are signed";
    NotTranslated "not-translated" "addresses that DNS64 makes lead to a NAT64 here";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        for (i, a) in Rule::ALL.iter().enumerate() {
            assert!(Rule::ALL[i + 1..].iter().all(|b| a.code() != b.code()), "{a:?}");
            assert!(!a.text().ends_with('.'), "{a:?}");
        }
    }
}
