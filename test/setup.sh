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

missing=
need() { missing="$missing $1"; }
need_command() { command -v "$1" >/dev/null 2>&1 || need "$2"; }

need_command clang clang
need_command llvm-strip llvm
[ -e /usr/include/bpf/bpf_helpers.h ] || [ -e /usr/local/include/bpf/bpf_helpers.h ] || need libbpf-dev
ldconfig -p 2>/dev/null | grep -q 'libbpf\.so\.1 ' || need libbpf1
need_command bpftool bpftool
need_command haproxy haproxy
need_command nginx nginx
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || need libnginx-mod-stream
need_command caddy caddy
need_command ip iproute2
need_command curl curl
missing=${missing# }

undo_policy=
# Started by nobody, enabled for no boot: haproxy, nginx and caddy are wanted as programs here, not as services.
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

install_packages() {
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
	for unit in haproxy nginx caddy; do
		case " $missing " in *" $unit "*)
			if command -v systemctl >/dev/null 2>&1; then systemctl --quiet disable "$unit.service" >/dev/null 2>&1 || true; fi
			;;
		esac
	done
	allow_services
	rm -f "$log"
	trap - EXIT INT TERM HUP
	say "installed Debian packages: $missing"
	say "no service was started or enabled (remove them with: apt-get purge --autoremove $missing)"
}

if [ -n "$missing" ]; then
	command -v apt-get >/dev/null 2>&1 ||
		fail "this is no Debian: what it calls $missing is missing (install it by hand, then try again)"
	[ "$(id -u)" -eq 0 ] ||
		fail "Debian packages are missing: $missing (run this as root, or: sudo apt-get install --no-install-recommends $missing)"
	install_packages
fi

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
	[ -e "$stamp" ] && [ -e dist/cli/index.js ] && [ -e dist/bpf/solistend.bpf.o ] &&
		[ -z "$(find src bpf package-lock.json tsconfig.json -newer "$stamp" | head -n 1)" ]
}

if ! is_built; then
	say "building"
	mkdir -p "$(dirname "$stamp")"
	touch "$stamp.begun"
	npm run --silent build </dev/null >&2 || fail "the build did not work (its words are above)"
	mv "$stamp.begun" "$stamp"
fi
