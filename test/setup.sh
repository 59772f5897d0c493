#!/bin/sh
# From a bare Debian 12 with Node to everything that the demo and the tests need: Debian packages, npm packages, a
# build. Does only what is missing, and says what it did; with nothing to do it is silent.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin # where `su` without `-` does not look

say() { echo "==> $*" >&2; }
fail() {
	echo "set-up failed: $*" >&2
	exit 1
}

NODE_RANGE='20.19 or newer'
command -v node >/dev/null 2>&1 || fail "Node is not installed (install Node $NODE_RANGE)"
node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
	fail "Node $(node --version) is too old (install Node $NODE_RANGE)"

# --- Debian packages -------------------------------------------------------------------------------------------------

. test/packages.sh

need_command clang clang
need_command llvm-strip llvm
[ -e /usr/include/bpf/bpf_helpers.h ] || [ -e /usr/local/include/bpf/bpf_helpers.h ] || need libbpf-dev
ldconfig -p 2>/dev/null | grep -q 'libbpf\.so\.1 ' || need libbpf1
need_command bpftool bpftool
need_command haproxy haproxy
need_command nginx nginx
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || need libnginx-mod-stream
need_command caddy caddy
need_command redis-server redis-server
need_command ip iproute2
need_command curl curl
# A unit that was there before is the host's own affair.
units=
for unit in haproxy nginx caddy redis-server; do case " $missing " in *" $unit "*) units="$units $unit.service" ;; esac; done
# shellcheck disable=SC2086 # a list of names
install_missing $units

# --- npm packages ----------------------------------------------------------------------------------------------------

# Whether node_modules holds what the lock file says, by npm's own list of it.
has_npm_packages() {
	node -e '
		const read = (path) => JSON.parse(require("node:fs").readFileSync(path, "utf8")).packages;
		const have = read("node_modules/.package-lock.json");
		for (const [path, { version, optional }] of Object.entries(read("package-lock.json")))
			if (path !== "" && !optional && have[path]?.version !== version) process.exit(1);
	' 2>/dev/null
}

if ! has_npm_packages; then
	say "installing npm packages from package-lock.json"
	# No install script is needed: native parts come as packages of their own.
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 ||
		fail "npm ci did not work (its words are above; is there a network, and a registry?)"
fi

# --- build -----------------------------------------------------------------------------------------------------------

# Touched before a build that succeeded: whatever is newer has not been built. Folders count, for what was removed.
stamp=node_modules/.cache/solistend/built

is_built() {
	[ -e "$stamp" ] && [ -e dist/solistend.js ] && [ -e build/daemon.js ] && [ -e dist/bpf/solistend.bpf.o ] &&
		[ -z "$(find src bpf package-lock.json systemd/packaging/bundle.ts tsconfig.json -newer "$stamp" | head -n 1)" ]
}

if ! is_built; then
	say "building"
	mkdir -p "$(dirname "$stamp")"
	touch "$stamp.begun"
	npm run --silent build </dev/null >&2 || fail "the build did not work (its words are above)"
	mv "$stamp.begun" "$stamp"
fi
