# A Samba domain controller of its own network, name and files; then the object is restored from the backup in $2.
# Usage: unshare -m -u -n -p -f --kill-child --mount-proc sh dc.sh WORK OUTPUT
set -eu
work=$1 output=$2
user='Administrator%Secret-123'
dc=dc1.corp.example
mount --make-rprivate /
mkdir -p "$work/etc"
printf '127.0.0.1 localhost\n10.99.0.1 %s dc1 corp.example\n' "$dc" > "$work/hosts"
printf 'search corp.example\n' > "$work/resolv.conf"
mount --bind "$work/hosts" /etc/hosts
mount --bind "$work/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mount --bind "$work/etc" /etc/samba
hostname dc1
ip link set lo up
ip addr add 10.99.0.1/24 dev lo

samba-tool domain provision --realm=CORP.EXAMPLE --domain=CORP --adminpass="${user#*%}" --server-role=dc \
    --dns-backend=NONE --targetdir="$work/dc" --host-name=dc1 --host-ip=10.99.0.1 > "$work/provision.log" 2>&1 ||
    { tail -n 20 "$work/provision.log" >&2; exit 1; }
sed 's/server services.*/server services = s3fs, rpc, nbt, ldap, cldap, winbindd/' "$work/dc/etc/smb.conf" > "$work/etc/smb.conf"
samba -i --no-process-group -s "$work/etc/smb.conf" > "$work/samba.log" 2>&1 &
up=
for _ in $(seq 100); do
    if smbclient -U "$user" -c ls "//$dc/sysvol" > /dev/null 2>&1 &&
        ldbsearch -H "ldap://$dc" -U "$user" -s base -b '' dn > /dev/null 2>&1; then up=1; break; fi
    sleep 0.2
done
[ -n "$up" ] || { cat "$work/samba.log" >&2; exit 1; }

sh "$output/samba/import.sh" "$dc" "$user" 'ISATAP of a test'
dn=$(ldbsearch -H "ldap://$dc" -U "$user" --cross-ncs '(displayName=ISATAP of a test)' dn | sed -n 's/^dn: //p')
echo "version $(ldbsearch -H "ldap://$dc" -U "$user" -b "$dn" -s base versionNumber | sed -n 's/^versionNumber: //p')"
echo "extensions $(ldbsearch -H "ldap://$dc" -U "$user" -b "$dn" -s base gPCMachineExtensionNames |
    sed -n -e ':a' -e '/^gPC/{N;/\n /{s/\n //;ba}}' -e 's/^gPCMachineExtensionNames: //p' | head -n 1)"
guid=${dn#CN=}
guid=${guid%%,*}
samba-tool gpo show "$guid" -H "ldap://$dc" -U "$user" | sed -n 's/^display name : /shown /p'
samba-tool gpo setlink DC=corp,DC=example "$guid" -H "ldap://$dc" -U "$user" > /dev/null
samba-tool gpo listcontainers "$guid" -H "ldap://$dc" -U "$user" | sed -n 's/.*DN: /linked /p'
smbclient -U "$user" -c "cd corp.example/Policies/$guid; get Machine/Registry.pol $work/got.pol; get GPT.INI $work/got.ini" \
    "//$dc/sysvol" > /dev/null 2>&1
cmp "$work/got.pol" "$output/Registry.pol" && echo "the same Registry.pol"
tr -d '\r' < "$work/got.ini" | grep -i '^version'
samba-tool gpo backup "$guid" --tmpdir="$(mktemp -d -p "$work")" -H "ldap://$dc" -U "$user" > "$work/backup.log" 2>&1 && echo "backed up again"
