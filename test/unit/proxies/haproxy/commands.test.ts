import { expect, test } from "vitest";
import { isDone, type ServerStep } from "../../../../src/proxies/haproxy/commands.js";

const step: ServerStep = { kind: "address", backend: "web", server: "s1", address: "10.0.0.1", port: 81 };

/** As HAProxy 2.6.12 and 3.0.11 answer. */
test.each([
	["IP changed from '127.0.0.1' to '10.0.0.1', port changed from '1' to '81' by 'stats socket command'", true],
	["no need to change the addr, port changed from '80' to '81' by 'stats socket command'", true],
	["port changed from '80' to '81' by 'stats socket command'", true],
	["No such server.", false],
	["", false],
])("a change of address that is answered with %j is done: %s", (answer, done) => {
	expect(isDone(step, [answer])).toBe(done);
});
