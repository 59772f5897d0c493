#!/bin/sh
# The integration tests of proxies once more, with HAProxy 3.0 and Nginx 1.26 of Debian 13 in place of the host's; then
# what needs a Redis Cluster, a Sentinel, a browser, a real Docker or a real Podman.
set -eu

cd "$(dirname "$0")/../.."
sh test/setup.sh
sh test/extended/trixie.sh
sh test/extended/engines.sh
export SOLISTEND_HAPROXY="$PWD/test/extended/haproxy" SOLISTEND_NGINX="$PWD/test/extended/nginx"
echo "==> $("$SOLISTEND_HAPROXY" -v | head -n 1); $("$SOLISTEND_NGINX" -v 2>&1)"
node_modules/.bin/vitest run --project integration \
	test/integration/haproxy test/integration/nginx test/integration/daemon test/integration/leaving
unset SOLISTEND_HAPROXY SOLISTEND_NGINX
node_modules/.bin/vitest run --project redis
sh test/extended/browser.sh
echo "==> $(chromium --version)"
SOLISTEND_PROMTOOL=/var/cache/solistend-test/prometheus/usr/bin/promtool \
	node_modules/.bin/vitest run --project browser
echo "==> $(dockerd --version); $(podman --version)"
exec node_modules/.bin/vitest run --project engines
