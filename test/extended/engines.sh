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

missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need_file() { [ -e "$1" ] || missing="$missing $2"; }

need dockerd docker.io
need containerd containerd
need runc runc
need iptables iptables
need_file /bin/busybox busybox-static
need podman podman
need conmon conmon
need_file /usr/lib/podman/netavark netavark
need_file /usr/lib/podman/aardvark-dns aardvark-dns
# Podman without root.
need slirp4netns slirp4netns
need newuidmap uidmap
missing=${missing# }
[ -n "$missing" ] || exit 0

[ "$(id -u)" -eq 0 ] || fail "this needs root"

undo_policy=
# Started by nobody: each test runs an engine of its own.
forbid_services() {
	[ -e /usr/sbin/policy-rc.d ] && return
	undo_policy=yes
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
}
allow_services() {
	[ -z "$undo_policy" ] || rm -f /usr/sbin/policy-rc.d
	undo_policy=
}

say "installing Debian packages: $missing (a minute or two)"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'allow_services; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
forbid_services
apt-get -qq update </dev/null >"$log" 2>&1 || say "apt-get update had problems: $(tail -n 1 "$log")"
# shellcheck disable=SC2086 # a list of names
if ! apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install $missing </dev/null >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	fail "apt-get could not install: $missing (its last words are above; is there a network, and a Debian mirror?)"
fi
# Enabled for no boot either.
for unit in docker.service docker.socket containerd.service podman.service podman.socket podman-restart.service \
	podman-auto-update.service podman-auto-update.timer; do
	if command -v systemctl >/dev/null 2>&1; then systemctl --quiet disable "$unit" >/dev/null 2>&1 || true; fi
done
say "installed Debian packages: $missing"
say "no service was started or enabled (remove them with: apt-get purge --autoremove $missing)"
