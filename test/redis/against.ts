/**
 * The fleet's contract, and all that can happen to its Redis, once more with another server than the host's own. Knows nothing
 * of what the tests do.
 */

import { fileURLToPath } from "node:url";

/**
 * Makes all these tests part of the file that calls it, which has to import nothing else that starts a server.
 *
 * @param program of Debian 13, by its name in test/extended; test/extended/trixie.sh makes what it needs
 */
export async function testAgainst(program: "redis-server" | "valkey-server"): Promise<void> {
	process.env["SOLISTEND_REDIS"] = fileURLToPath(new URL(`../extended/${program}`, import.meta.url));
	await import("../integration/fleet/registry-redis.test.js");
	await import("../integration/fleet/acl.test.js");
	await import("../integration/fleet/connect.test.js");
	await import("../integration/fleet/publisher.test.js");
	await import("../integration/fleet/subscriber.test.js");
	await import("../integration/fleet/subscriber-values.test.js");
	await import("../integration/fleet/unanswered.test.js");
	await import("../integration/fleet-finding.test.js");
	await import("./sentinel.test.js");
	await import("./cluster.test.js");
}
