#!/bin/sh
# The integration tests of proxies once more, with HAProxy 3.0 and Nginx 1.26 of Debian 13 in place of the host's; then
# what needs a Redis Cluster, a Sentinel, a newer Redis or Valkey, a browser, a real Docker or a real Podman; faults in a fleet;
# and service and packages, on a booted Debian 12.
set -eu

cd "$(dirname "$0")/../.."
sh test/setup.sh
sh test/extended/trixie.sh
sh test/extended/engines.sh
sh test/extended/bookworm.sh
export SOLISTEND_HAPROXY="$PWD/test/extended/haproxy" SOLISTEND_NGINX="$PWD/test/extended/nginx"
echo "==> $("$SOLISTEND_HAPROXY" -v | head -n 1); $("$SOLISTEND_NGINX" -v 2>&1)"
node_modules/.bin/vitest run --project integration \
	test/integration/haproxy test/integration/nginx test/integration/daemon test/integration/leaving
unset SOLISTEND_HAPROXY SOLISTEND_NGINX
echo "==> $(test/extended/redis-server --version); $(test/extended/valkey-server --version)"
node_modules/.bin/vitest run --project redis
sh test/extended/browser.sh
echo "==> $(chromium --version)"
SOLISTEND_PROMTOOL=/var/cache/solistend-test/prometheus/usr/bin/promtool \
	node_modules/.bin/vitest run --project browser
echo "==> $(dockerd --version); $(podman --version)"
node_modules/.bin/vitest run --project engines
echo "==> $(redis-server --version)"
# six of the kinds of faults of `npm run bench -- fleetDrill`, the same each time
node --import tsx test/bench/drill/main.ts 6 1000 1371
exec sh test/extended/packages.sh
