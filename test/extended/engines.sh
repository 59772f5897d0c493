#!/bin/sh
# The container engines that `test/engines` runs: Docker and Podman from Debian's packages, as programs and not as services.
# Does only what is missing, and says so; with nothing to do it is silent.
set -eu

PATH=$PATH:/usr/sbin:/sbin

say() { echo "==> $*" >&2; }
fail() {
	echo "the container engines could not be set up: $*" >&2
	exit 1
}

. "$(dirname "$0")/../packages.sh"

need_command dockerd docker.io
need_command containerd containerd
need_command runc runc
need_command iptables iptables
need_file /bin/busybox busybox-static
need_command docker-compose docker-compose
need_command podman podman
need_command conmon conmon
need_file /usr/lib/podman/netavark netavark
need_file /usr/lib/podman/aardvark-dns aardvark-dns
# Podman without root.
need_command slirp4netns slirp4netns
need_command newuidmap uidmap
install_missing docker.service docker.socket containerd.service podman.service podman.socket podman-restart.service \
	podman-auto-update.service podman-auto-update.timer
