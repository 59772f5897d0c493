#!/bin/sh
# Chromium, and promtool without the service that its package would bring; with nothing to do it is silent.
set -eu

FOLDER=/var/cache/solistend-test/prometheus

say() { echo "==> $*" >&2; }
fail() {
	echo "the tests of the status page lack something: $*" >&2
	exit 1
}

. "$(dirname "$0")/../packages.sh"
need_command chromium chromium
need_file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
install_missing

if ! "$FOLDER/usr/bin/promtool" --version >/dev/null 2>&1; then
	say "unpacking promtool in $FOLDER (remove it with: rm -r $FOLDER)"
	rm -rf "$FOLDER.new"
	mkdir -p "$FOLDER.new"
	(cd "$FOLDER.new" && apt-get -qq download prometheus </dev/null >/dev/null 2>&1) ||
		fail "apt-get could not download prometheus (is there a Debian mirror?)"
	dpkg-deb -x "$FOLDER.new"/prometheus_*.deb "$FOLDER.new"
	rm -rf "$FOLDER" "$FOLDER.new"/*.deb
	mv "$FOLDER.new" "$FOLDER"
fi
