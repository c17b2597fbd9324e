#!/bin/bash
# Keeps one lab host running: boot.sh MACHINE STATE DISK BASE CGROUP ADDRESS GATEWAY
# Runs inside the host's network namespace and ends when the host powers off. It is
# restarted by nobody: a `reboot` inside the guest ends nspawn with status 133.
set -u
machine=$1 state=$2 disk=$3 base=$4 cgroup=$5 address=$6 gateway=$7

# This process may have been started by `ip netns exec`, whose mount namespace it keeps
# for itself; a power cut drops it with every mount below.
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup          # hides a v1 layout from nspawn
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1        # else guests without systemd get v1
echo $$ > "/sys/fs/cgroup/$cgroup/cgroup.procs" || exit 9
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn         # nspawn's lock files of other hosts
rm -rf "$disk/work/work"                         # `volatile` refuses a disk used before
mount -t overlay overlay -o "lowerdir=$base,upperdir=$disk/up,workdir=$disk/work,volatile" \
    "$disk/root" || exit 9

while :; do
    # A SysV shutdown takes the interface down, so each boot sets it up anew.
    ip link set lo up
    ip link set eth0 up
    ip addr replace "$address" dev eth0
    ip route replace default via "$gateway"
    systemd-nspawn --quiet --directory="$disk/root" --machine="$machine" --register=no \
        --keep-unit --capability=CAP_NET_ADMIN --console=pipe --resolv-conf=off \
        --timezone=off --settings=no --boot &
    echo $! > "$state/nspawn.pid"
    wait $!
    status=$?
    echo "== $machine: nspawn ended with $status at $(date +%T.%N)"
    [ $status = 133 ] || break
done
rm -f "$state/nspawn.pid"
