#!/bin/sh
# Runs a program of the Debian 13 root: same process id, same network, same paths of temporary files, in mounts that go
# with it. Usage: inside.sh PROGRAM [ARGUMENT…]
exec unshare --mount --propagation private -- sh -c '
	set -eu
	root=/var/cache/solistend-test/trixie
	for folder in /proc /dev /run/netns /tmp "${TMPDIR:-/tmp}"; do
		[ -d "$folder" ] || continue
		mkdir -p "$root$folder"
		mount --rbind "$folder" "$root$folder"
	done
	exec chroot "$root" "$@"
' sh "$@"
