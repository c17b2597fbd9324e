#!/bin/sh
# Turns a fresh minimal Debian system into a base of the lab. Run by mmdebstrap:
#   customize.sh ROOT INIT
set -eu
root=$1
init=$2

in_root() { chroot "$root" "$@"; }

# Identity belongs to a host, not to its base.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
printf 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n' \
    > "$root/etc/environment"

# deploy becomes root by sudo; plain never does.
for user in deploy plain; do
    in_root useradd --create-home --shell /bin/bash "$user"
    in_root usermod --password '*' "$user"
done
echo 'deploy ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/deploy"
chmod 0440 "$root/etc/sudoers.d/deploy"
printf 'UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n' \
    > "$root/etc/ssh/sshd_config.d/lab.conf"

case $init in
systemd)
    mkdir -p "$root/var/log/journal"
    for unit in console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
        dpkg-db-backup.timer e2scrub_all.timer systemd-networkd-wait-online.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    ;;
openrc)
    for service in ssh cron inetutils-syslogd; do
        in_root rc-update add "$service" default
    done
    ;;
esac
if [ "$init" != systemd ]; then
    # No terminals to watch, and no hardware clock or kernel modules to set up.
    sed -i '/respawn.*getty/d' "$root/etc/inittab"
    rm -f "$root"/etc/rcS.d/S*hwclock* "$root"/etc/rcS.d/S*kmod "$root"/etc/rcS.d/S*udev
fi

rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale \
    "$root"/var/lib/apt/lists "$root"/var/cache/apt
mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
