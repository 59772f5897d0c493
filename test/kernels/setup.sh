#!/bin/sh
# What the kernel tests need: the emulator and what makes an initramfs, as Debian packages; and Debian's kernels, each got
# once and kept. Arguments: the kernels. Does only what is missing, and says so; with nothing to do it is silent.
set -eu

PATH=$PATH:/usr/sbin:/sbin
KEPT=/var/cache/solistend-test/kernels
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "==> $*" >&2; }
fail() {
	echo "the kernel tests could not be set up: $*" >&2
	exit 1
}

. "$(dirname "$0")/../packages.sh"

[ "$(id -u)" -eq 0 ] || fail "this needs root"
need_command qemu-system-x86_64 qemu-system-x86
need_command cpio cpio
need_file /bin/busybox busybox-static
need_command setpriv util-linux
need_command gcc gcc
need_file /usr/include/linux/io_uring.h linux-libc-dev
need_file /usr/lib/x86_64-linux-gnu/libc.a libc6-dev
install_missing

# Which of Debian's suites has a kernel; the newest version in them is taken.
suites_of() {
	case $1 in
	5.10) echo bullseye bullseye-security ;;
	6.1) echo bookworm bookworm-security ;;
	6.12) echo bookworm-backports ;;
	sid) echo sid ;;
	*) fail "there is no kernel $1 here (there are 5.10, 6.1, 6.12 and sid)" ;;
	esac
}

# Where this machine's own packages come from; a repository of somebody else has no suite of that name.
mirror_of() {
	case $1 in *-security) which=$codename-security ;; *) which=$codename ;; esac
	apt-get indextargets --format '$(CREATED_BY) $(CODENAME) $(COMPONENT) $(REPO_URI)' |
		sed -n "s/^Packages $which main //p" | head -n 1
}

# Apt with lists of its own: what the host has installed, and where from, is neither asked nor changed.
own_apt() {
	tool=$1
	shift
	"$tool" -qq -o Dir::Etc::sourcelist="$work/list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
		-o APT::Architectures=amd64 -o Acquire::Languages=none "$@"
}

get() {
	name=$1
	work=$(mktemp -d "$KEPT/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	for suite in $(suites_of "$name"); do
		mirror=$(mirror_of "$suite")
		[ -n "$mirror" ] || fail "apt has no repository for $suite (is there a Debian mirror in its sources?)"
		echo "deb [signed-by=$KEYRING] $mirror $suite main" >>"$work/list"
	done
	own_apt apt-get update </dev/null >"$work/log" 2>&1 || fail "apt-get update for $name: $(tail -n 1 "$work/log")"
	package=$(own_apt apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | sort -V | tail -n 1)
	[ -n "$package" ] || fail "no kernel is in $(cat "$work/list")"
	# Newer packages of that name hold nothing themselves.
	binary=linux-binary-${package#linux-image-}
	if own_apt apt-cache show "$binary" >/dev/null 2>&1; then package=$binary; fi
	say "getting Debian's $package (remove it with: rm -r $KEPT/$name)"
	(cd "$work" && own_apt apt-get download "$package") </dev/null >"$work/log" 2>&1 ||
		fail "apt-get could not download $package: $(tail -n 1 "$work/log")"
	dpkg-deb --fsys-tarfile "$work"/linux-*.deb >"$work/files.tar"
	mkdir "$work/kernel"
	image=$(tar -t -f "$work/files.tar" | grep '/vmlinuz[^/]*$' | head -n 1)
	[ -n "$image" ] || fail "there is no vmlinuz in $package"
	tar -x -O -f "$work/files.tar" "$image" >"$work/kernel/vmlinuz"
	dpkg-deb -W --showformat '${Package} ${Version}' "$work"/linux-*.deb >"$work/kernel/package"
	rm -rf "${KEPT:?}/$name"
	mv "$work/kernel" "$KEPT/$name"
	rm -rf "$work"
	trap - EXIT
}

mkdir -p "$KEPT"
# Two runs at once: the second finds what the first has got.
exec 9>"$KEPT/lock"
flock 9
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
for kernel in "$@"; do
	[ -s "$KEPT/$kernel/vmlinuz" ] || get "$kernel"
done
