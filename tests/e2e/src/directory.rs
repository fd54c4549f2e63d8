//! Real directories on the middle machine: OpenLDAP's slapd, and Samba as a domain controller of Active Directory.
//!
//! Both have groups three deep with a loop: `top` has `middle`, that has `inner`, and that has `ws-1`, a person and `top` again.

use std::path::PathBuf;
use std::time::Duration;

use crate::plain::{Row, wait};

/// A directory that answers on 127.0.0.1, port 389, by StartTLS alone.
pub struct Directory {
    folder: PathBuf,
    /// Command that starts it.
    start: String,
    /// Who may change it.
    admin: &'static str,
}

/// The password of whoever asks and changes.
pub const PASSWORD: &str = "Passw0rd-x1";

const SLAPD: &str = "\
dn: dc=corp,dc=example
objectClass: dcObject
objectClass: organization
o: Corp

dn: cn=ws-1,dc=corp,dc=example
objectClass: device
objectClass: ipHost
ipHostNumber: 10.6.8.20

dn: cn=ws-2,dc=corp,dc=example
objectClass: device

dn: cn=ana,dc=corp,dc=example
objectClass: person
sn: Ana

dn: cn=top,dc=corp,dc=example
objectClass: groupOfNames
member: cn=middle,dc=corp,dc=example
member: cn=ws-2,dc=corp,dc=example

dn: cn=middle,dc=corp,dc=example
objectClass: groupOfNames
member: cn=inner,dc=corp,dc=example

dn: cn=inner,dc=corp,dc=example
objectClass: groupOfNames
member: cn=ws-1,dc=corp,dc=example
member: cn=ana,dc=corp,dc=example
member: cn=top,dc=corp,dc=example
member: cn=gone,dc=corp,dc=example
member: cn=ws-9,dc=elsewhere,dc=example
";

const SAMBA: &str = "\
dn: CN=ws-1,CN=Computers,DC=corp,DC=example
objectClass: computer
sAMAccountName: ws-1$
dNSHostName: WS-1.corp.example
userAccountControl: 4096

dn: CN=off-1,CN=Computers,DC=corp,DC=example
objectClass: computer
sAMAccountName: off-1$
dNSHostName: off-1.corp.example
userAccountControl: 4098

dn: CN=inner,CN=Users,DC=corp,DC=example
objectClass: group
sAMAccountName: inner
member: CN=ws-1,CN=Computers,DC=corp,DC=example
member: CN=off-1,CN=Computers,DC=corp,DC=example
member: CN=Administrator,CN=Users,DC=corp,DC=example

dn: CN=middle,CN=Users,DC=corp,DC=example
objectClass: group
sAMAccountName: middle
member: CN=inner,CN=Users,DC=corp,DC=example

dn: CN=top,CN=Users,DC=corp,DC=example
objectClass: group
sAMAccountName: top
member: CN=middle,CN=Users,DC=corp,DC=example

dn: CN=inner,CN=Users,DC=corp,DC=example
changetype: modify
add: member
member: CN=top,CN=Users,DC=corp,DC=example
";

impl Directory {
    /// OpenLDAP. Its group `inner` also lists an entry that is not there.
    #[must_use]
    pub fn slapd(row: &mut Row) -> Self {
        let folder = row.folder().to_owned();
        certificates(row);
        let at = folder.display();
        std::fs::create_dir_all(folder.join("slapd")).expect("a folder can be made");
        let schemas =
            ["core", "cosine", "nis"].map(|s| format!("include /etc/ldap/schema/{s}.schema\n")).concat();
        write(
            &folder,
            "slapd.conf",
            &format!(
                "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {at}/slapd.pid\n\
                 TLSCACertificateFile {at}/ca.pem\nTLSCertificateFile {at}/server.pem\n\
                 TLSCertificateKeyFile {at}/server.key\nsecurity ssf=128\n\
                 referral ldap://dc9.elsewhere.example\ndatabase mdb\n\
                 suffix \"dc=corp,dc=example\"\nrootdn \"cn=admin,dc=corp,dc=example\"\nrootpw {PASSWORD}\n\
                 directory {at}/slapd\n"
            ),
        );
        write(&folder, "slapd.ldif", SLAPD);
        must(row, 20, &format!("slapadd -f {at}/slapd.conf -l {at}/slapd.ldif"));
        let start = format!("slapd -d 0 -f {at}/slapd.conf -h ldap://127.0.0.1:389/");
        let directory = Self { folder, start, admin: "cn=admin,dc=corp,dc=example" };
        directory.start(row);
        directory
    }

    /// Samba, with nothing but its LDAP server. One computer of the group `inner` is switched off.
    #[must_use]
    pub fn samba(row: &mut Row) -> Self {
        let folder = row.folder().to_owned();
        certificates(row);
        let at = folder.display();
        let provision = format!(
            "samba-tool domain provision --realm=CORP.EXAMPLE --domain=CORP --adminpass={PASSWORD} --server-role=dc \
             --dns-backend=NONE --targetdir={at}/dc --host-name=dc1 --host-ip=127.0.0.1 \
             --option='bind interfaces only = yes' --option='interfaces = lo'"
        );
        must(row, 150, &provision);
        std::fs::create_dir_all(folder.join("run")).expect("a folder can be made");
        write(
            &folder,
            "smb.conf",
            &format!(
                "[global]\nnetbios name = DC1\nrealm = CORP.EXAMPLE\nworkgroup = CORP\n\
                 server role = active directory domain controller\nserver services = ldap\n\
                 private dir = {at}/dc/private\nlock directory = {at}/dc\nstate directory = {at}/dc/state\n\
                 cache directory = {at}/dc/cache\npid directory = {at}/run\nncalrpc dir = {at}/run/ncalrpc\n\
                 interfaces = lo\nbind interfaces only = yes\nlog file = {at}/run/log\ntls keyfile = {at}/server.key\n\
                 tls certfile = {at}/server.pem\ntls cafile = {at}/ca.pem\n"
            ),
        );
        write(&folder, "samba.ldif", SAMBA);
        let start = format!("samba -i -M single -s {at}/smb.conf");
        let directory = Self { folder, start, admin: "administrator@CORP.EXAMPLE" };
        directory.start(row);
        directory.modify(row, SAMBA);
        directory
    }

    /// Starts it again after [`Directory::stop`].
    pub fn start(&self, row: &mut Row) {
        row.start("middle", &self.start);
        let asks = self.command("ldapsearch", "-s base -b '' -LLL supportedLDAPVersion");
        let answers = || row.sh("middle", &asks);
        assert!(wait(Duration::from_secs(20), || answers().good), "no answer: {}", answers().text);
    }

    /// Ends it.
    pub fn stop(&self, row: &Row) {
        let at = self.folder.display();
        must(row, 20, &format!("kill -9 $(cat {at}/slapd.pid {at}/run/samba.pid 2>/dev/null)"));
        let open = || row.sh("middle", "ss -ltn | grep -q ':389 '").good;
        assert!(wait(Duration::from_secs(5), || !open()), "the directory still listens");
    }

    /// Changes entries, as LDIF.
    pub fn modify(&self, row: &Row, ldif: &str) {
        write(&self.folder, "change.ldif", ldif);
        let command = self.command("ldapmodify", &format!("-a -f {}/change.ldif", self.folder.display()));
        must(row, 20, &command);
    }

    /// Takes `member` out of a group, or puts it in.
    pub fn member(&self, row: &Row, change: &str, group: &str, member: &str) {
        self.modify(row, &format!("dn: {group}\nchangetype: modify\n{change}: member\nmember: {member}\n"));
    }

    fn command(&self, program: &str, rest: &str) -> String {
        let ca = self.folder.join("ca.pem");
        let admin = self.admin;
        format!(
            "LDAPTLS_CACERT={} {program} -ZZ -H ldap://127.0.0.1 -x -D '{admin}' -w {PASSWORD} {rest}",
            ca.display()
        )
    }
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certificates(row: &Row) {
    let at = row.folder().display();
    must(
        row,
        20,
        &format!(
            "cd {at} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key \
             -out ca.pem -subj /CN=test-ca && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -keyout server.key -out server.csr -subj /CN=dc1.corp.example && \
             printf 'subjectAltName=DNS:dc1.corp.example,IP:127.0.0.1\\n' > ext && openssl x509 -req -in server.csr \
             -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem && chmod 600 server.key"
        ),
    );
}

fn must(row: &Row, seconds: u32, command: &str) {
    let said = row.sh_within("middle", seconds, command);
    assert!(said.good, "{command}: {}", said.text);
}

fn write(folder: &std::path::Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file can be written");
}
