#!/bin/sh
# The service and the packages: the Debian package built, looked through, and lived with in a booted Debian 12; and the unit
# tests on the Node that is in it.
set -eu

cd "$(dirname "$0")/../.."
sh test/setup.sh
sh test/extended/bookworm.sh
node_modules/.bin/vitest run --project systemd
node=$(node --import tsx systemd/packaging/bundled-node.ts)
echo "==> the Node of the package: $("$node" --version)"
exec "$node" node_modules/vitest/vitest.mjs run --project unit
