#!/bin/sh
# The integration tests of proxies once more, with HAProxy 3.0 and Nginx 1.26 of Debian 13 in place of the host's.
set -eu

cd "$(dirname "$0")/../.."
sh test/setup.sh
sh test/extended/trixie.sh
export SOLISTEND_HAPROXY="$PWD/test/extended/haproxy" SOLISTEND_NGINX="$PWD/test/extended/nginx"
echo "==> $("$SOLISTEND_HAPROXY" -v | head -n 1); $("$SOLISTEND_NGINX" -v 2>&1)"
exec node_modules/.bin/vitest run --project integration \
	test/integration/haproxy test/integration/nginx test/integration/daemon test/integration/leaving
