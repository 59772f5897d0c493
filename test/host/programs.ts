/**
 * Which proxies, and which Redis, the tests run: the host's own, unless the environment names others, as
 * `npm run test:extended` does with those of Debian 13. The application under test (web-server.ts) is always the host's.
 */

/** HAProxy, to start and to check with. */
export const HAPROXY = process.env["SOLISTEND_HAPROXY"] ?? "haproxy";

/** Nginx as a proxy. */
export const NGINX = process.env["SOLISTEND_NGINX"] ?? "/usr/sbin/nginx";

/** redis-server, or what is as good. */
export const REDIS = process.env["SOLISTEND_REDIS"] ?? "redis-server";
