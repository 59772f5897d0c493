#!/bin/sh
# A root of Debian 13 for its HAProxy 3.0 and Nginx 1.26, made once and kept; with nothing to do it is silent. Nothing in
# it ever runs as a service: see inside.sh.
set -eu

ROOT=/var/cache/solistend-test/trixie
PACKAGES=haproxy,nginx,libnginx-mod-stream
HERE=$(cd "$(dirname "$0")" && pwd)

say() { echo "==> $*" >&2; }
fail() {
	echo "the root of Debian 13 could not be made: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || fail "this needs root"
mkdir -p "$(dirname "$ROOT")"
# Two runs at once: the second finds what the first has made.
exec 9>"$ROOT.lock"
flock 9

works() { [ "$(cat "$ROOT/made-with")" = "$PACKAGES" ] && "$HERE/haproxy" -v && "$HERE/nginx" -v; }
if works >/dev/null 2>&1; then exit 0; fi

if ! command -v debootstrap >/dev/null 2>&1; then
	say "installing the Debian package debootstrap"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update </dev/null >/dev/null 2>&1 || say "apt-get update had problems"
	apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install debootstrap </dev/null >/dev/null ||
		fail "apt-get could not install debootstrap (its words are above)"
fi

# Where this machine's own packages come from; a repository of somebody else has no suite of that name.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(CREATED_BY) $(CODENAME) $(COMPONENT) $(REPO_URI)' |
	sed -n "s/^Packages $codename main //p" | head -n 1)
[ -n "$mirror" ] || fail "apt has no repository with $codename main (is there a Debian mirror in its sources?)"

# As apt reaches it.
http_proxy=${http_proxy:-}
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
case $http_proxy in "" | DIRECT) unset http_proxy ;; *) export http_proxy ;; esac

say "making a root of Debian 13 in $ROOT (a minute; remove it with: rm -r $(dirname "$ROOT"))"
rm -rf "$ROOT" "$ROOT.new"
# In mounts of its own: whatever ends it, nothing stays mounted.
if ! unshare --mount --propagation private debootstrap --variant=minbase --include="$PACKAGES" trixie "$ROOT.new" \
	"$mirror" </dev/null >"$ROOT.log" 2>&1; then
	tail -n 20 "$ROOT.log" >&2
	fail "debootstrap did not work (its last words are above; is there a network?)"
fi
rm -rf "$ROOT.new"/var/cache/apt/archives/*.deb
echo "$PACKAGES" >"$ROOT.new/made-with"
mv "$ROOT.new" "$ROOT"
works >"$ROOT.log" 2>&1 || fail "its programs do not run: $(tail -n 1 "$ROOT.log")"
