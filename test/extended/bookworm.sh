#!/bin/sh
# A plain Debian 12 with HAProxy, to be booted by test/host/booted-system.ts, made once and kept; and what boots it. With
# nothing to do it is silent. What a package may need beside is there as files that apt takes without a network.
set -eu

ROOT=/var/cache/solistend-test/bookworm
PACKAGES=systemd,systemd-sysv,dbus,procps,iproute2,curl,man-db,bash-completion,haproxy,nginx-light
BESIDE="libbpf1 polkitd"
HERE=$(cd "$(dirname "$0")" && pwd)

say() { echo "==> $*" >&2; }
fail() {
	echo "the root of Debian 12 could not be made: $*" >&2
	exit 1
}

. "$HERE/../packages.sh"
need_command systemd-nspawn systemd-container
need_command lintian lintian
need_command mandoc mandoc
need_command fish fish
need_command zsh zsh
install_missing

. "$HERE/debian-root.sh"
lock_root

[ "$(cat "$ROOT/made-with" 2>/dev/null)" = "$PACKAGES" ] && exit 0
make_root bookworm "
	export DEBIAN_FRONTEND=noninteractive
	rm -f /var/cache/apt/archives/*.deb
	apt-get -qq update
	apt-get -qq -y --download-only install $BESIDE
	systemctl disable nginx.service
"
