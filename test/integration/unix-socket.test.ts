/** A question over a unix socket whose answer comes at once: by a real HAProxy, and by those who do not answer. */

import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { askAtOnce } from "../../src/unix-socket.js";
import { openEdge } from "../host/edge.js";
import { lifetime } from "../host/lifetime.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const ask = (path: string, { text = "show info\n", room = 16_384 } = {}) =>
	askAtOnce(path, Buffer.from(text), room, 1000)?.toString("utf8");

describe.skipIf(skipPrivileged)("a question to a HAProxy", () => {
	test("has the whole answer, or none where it is longer than there is room", async () => {
		await using edge = await openEdge();
		const answer = ask(edge.runtimeSocket);
		expect(answer).toMatch(/^Name: HAProxy\n/);
		expect(answer).toMatch(/^Pid: \d+$/m);
		expect(answer?.endsWith("\n\n")).toBe(true);
		expect(ask(edge.runtimeSocket, { room: 100 })).toBeUndefined();
	});
});

test("who does not answer is not waited for, and who is not there is no fault", async () => {
	await using owned = lifetime();
	const { path: folder } = owned.own(await tempFolder("solistend-socket"));
	const path = join(folder, "a.sock");
	expect(ask(path)).toBeUndefined();
	expect(ask("relative")).toBeUndefined();
	expect(ask(`/${"x".repeat(200)}`)).toBeUndefined();
	// It is this thread's to answer, which waits.
	const server = createServer((connection) => connection.end("late"));
	owned.own({ close: async () => void server.close() });
	server.listen(path);
	await once(server, "listening");
	expect(askAtOnce(path, Buffer.from("?"), 100, 2)).toBeUndefined();
});
