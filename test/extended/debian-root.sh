# A root of a Debian release, made once and kept; to be sourced by scripts that have `fail`, `say`, ROOT and PACKAGES.

# One run at a time: a second one finds what the first has made.
lock_root() {
	[ "$(id -u)" -eq 0 ] || fail "this needs root"
	mkdir -p "$(dirname "$ROOT")"
	exec 9>"$ROOT.lock"
	flock 9
}

# Arguments: suite, and a script that is run in the new root, or nothing. Its output is in $ROOT.log.
make_root() {
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

	say "making a root of Debian ($1) in $ROOT (a minute; remove it with: rm -r $(dirname "$ROOT"))"
	rm -rf "$ROOT" "$ROOT.new"
	# In mounts of its own: whatever ends it, nothing stays mounted.
	if ! unshare --mount --propagation private sh -c '
		debootstrap --variant=minbase --include="$1" "$2" "$3" "$4" && [ -z "$5" ] || chroot "$3" sh -euc "$5"
	' sh "$PACKAGES" "$1" "$ROOT.new" "$mirror" "${2:-}" </dev/null >"$ROOT.log" 2>&1; then
		tail -n 20 "$ROOT.log" >&2
		fail "debootstrap did not work (its last words are above; is there a network?)"
	fi
	echo "$PACKAGES" >"$ROOT.new/made-with"
	mv "$ROOT.new" "$ROOT"
}
