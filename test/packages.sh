# Debian packages for tests, as programs and not as services; to be sourced by scripts that have `say` and `fail`.
# Does only what is missing, and says so.

missing=
need() { missing="$missing $1"; }
need_command() { command -v "$1" >/dev/null 2>&1 || need "$2"; }
need_file() { [ -e "$1" ] || need "$2"; }

undo_policy=
# Started by nobody, and enabled for no boot.
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

# Installs what is missing. Arguments: the units that come with it and are to be enabled for no boot.
install_missing() {
	missing=${missing# }
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		fail "this is no Debian: what it calls $missing is missing (install it by hand, then try again)"
	[ "$(id -u)" -eq 0 ] ||
		fail "Debian packages are missing: $missing (run this as root, or: sudo apt-get install --no-install-recommends $missing)"
	say "installing Debian packages: $missing (a minute or two)"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'allow_services; rm -f "$log"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	forbid_services
	# A broken repository of somebody else must not be in the way; what matters is whether the packages can be had.
	apt-get -qq update </dev/null >"$log" 2>&1 || say "apt-get update had problems: $(tail -n 1 "$log")"
	# shellcheck disable=SC2086 # a list of names
	if ! apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install $missing </dev/null >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		fail "apt-get could not install: $missing (its last words are above; is there a network, and a Debian mirror?)"
	fi
	for unit in "$@"; do
		if command -v systemctl >/dev/null 2>&1; then systemctl --quiet disable "$unit" >/dev/null 2>&1 || true; fi
	done
	allow_services
	rm -f "$log"
	trap - EXIT INT TERM HUP
	say "installed Debian packages: $missing"
	say "no service was started or enabled (remove them with: apt-get purge --autoremove $missing)"
}
