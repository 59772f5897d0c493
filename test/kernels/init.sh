#!/bin/sh
# The first process of the VM: makes it a Linux host, runs the suite once, and switches off.
export PATH=/usr/bin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tracefs trace /sys/kernel/tracing
mount -t securityfs security /sys/kernel/security
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
hostname kernel-test
# As on Debian: perf events are for who has CAP_PERFMON, kprobes by them for root alone.
echo 3 >/proc/sys/kernel/perf_event_paranoid
# Messages of the kernel would cut the suite's lines in two.
dmesg -n 1
node /suite/test/kernels/suite/main.js
echo "@@exit $?"
poweroff -f
