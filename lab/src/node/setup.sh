# First script of a node, run once inside its new namespaces. $1 node, $2 the sixgate binary, $3 resolv.conf, $4 lab.
# Everything written from here on lies in memory and goes when the node goes; the machine's own files are read only.
set -eu
umask 022
hostname "$1"

# Upper layers live on one tmpfs; it may be detached because each overlay holds its own reference.
mount -t tmpfs -o mode=755,size=256m sixgate-lab /mnt
for dir in etc var root usr/local; do
    mkdir -p "/mnt/$dir/upper" "/mnt/$dir/work"
    chmod --reference="/$dir" "/mnt/$dir/upper"
    mount -t overlay -o "lowerdir=/$dir,upperdir=/mnt/$dir/upper,workdir=/mnt/$dir/work" overlay "/$dir"
done
mkdir -p /usr/local/bin
: > /usr/local/bin/sixgate
mount --bind "$2" /usr/local/bin/sixgate
umount -l /mnt

mount -t tmpfs -o mode=755,size=64m run /run
mount -t tmpfs -o mode=1777,size=256m tmp /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /run/lock /run/named /etc/sixgate /var/lib/sixgate
# A sixgate that is installed on this machine has no part in the lab.
mount -t tmpfs -o mode=755,size=16m sixgate /etc/sixgate
mount -t tmpfs -o mode=700,size=64m sixgate /var/lib/sixgate

rm -f /etc/resolv.conf /etc/hosts /etc/nsswitch.conf /etc/gai.conf
printf '%s' "$3" > /etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$1" > /etc/hosts
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' > /etc/nsswitch.conf
printf '%s\n' "$1" > /etc/hostname
printf 'PS1="%s# "\n' "$1" > /root/.bashrc
rm -rf /root/.ssh /root/.curlrc /root/.digrc
mount -o remount,bind,ro / || true

# A new network namespace inherits IPv4 settings from the machine: say what a stock kernel says.
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null || true
sysctl -qw net.ipv4.ping_group_range='0 2147483647' 2>/dev/null || true
ip link set lo up
