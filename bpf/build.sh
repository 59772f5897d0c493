#!/bin/sh
# Compiles the BPF programs: bpf/build.sh OUTDIR writes OUTDIR/solistend.bpf.o.
# The object relocates itself to the kernel that runs it (CO-RE), so the kernel of the machine that builds does not matter.
set -eu

if [ $# -ne 1 ]; then
	echo "usage: $0 OUTDIR" >&2
	exit 2
fi
source=$(dirname "$0")/solistend.bpf.c
object=$1/solistend.bpf.o
CLANG=${CLANG:-clang}

fail() {
	echo "cannot compile $source: $1 (on Debian: apt-get install clang llvm libbpf-dev)" >&2
	exit 1
}

command -v "$CLANG" >/dev/null 2>&1 || fail "$CLANG is not installed"
echo '#include <bpf/bpf_core_read.h>' | "$CLANG" -E -target bpf -x c - >/dev/null 2>&1 ||
	fail "libbpf's header bpf/bpf_core_read.h is not installed"

mkdir -p "$1"
# Made beside its place and renamed: a run that is starting never reads half an object.
staged=$object.$$
trap 'rm -f "$staged"' EXIT
"$CLANG" -target bpf -g -O2 -Wall -Werror -c "$source" -o "$staged"
# DWARF is for debuggers; BTF, which the loader needs, stays.
if command -v "${LLVM_STRIP:=llvm-strip}" >/dev/null 2>&1; then "$LLVM_STRIP" -g "$staged"; fi
mv "$staged" "$object"
