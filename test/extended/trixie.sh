#!/bin/sh
# A root of Debian 13 for its HAProxy 3.0, Nginx 1.26, Redis 8 and Valkey 8, made once and kept; with nothing to do it is
# silent. Nothing in it ever runs as a service: see inside.sh.
set -eu

ROOT=/var/cache/solistend-test/trixie
PACKAGES=haproxy,nginx,libnginx-mod-stream,redis-server,valkey-server
HERE=$(cd "$(dirname "$0")" && pwd)

say() { echo "==> $*" >&2; }
fail() {
	echo "the root of Debian 13 could not be made: $*" >&2
	exit 1
}

. "$HERE/debian-root.sh"
lock_root

works() {
	[ "$(cat "$ROOT/made-with")" = "$PACKAGES" ] || return 1
	for program in haproxy nginx redis-server valkey-server; do "$HERE/$program" -v || return 1; done
}
if works >/dev/null 2>&1; then exit 0; fi

make_root trixie "rm -f /var/cache/apt/archives/*.deb"
works >"$ROOT.log" 2>&1 || fail "its programs do not run: $(tail -n 1 "$ROOT.log")"
