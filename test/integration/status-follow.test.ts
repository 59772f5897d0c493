import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DaemonStatus } from "../../src/admin/view.js";
import { follow } from "../../src/cli/follow.js";
import { tempFolder } from "../host/temp-folder.js";
import { daemonStatus } from "../unit/admin/status.js";

test("who follows the status gets what was told at once in one piece", async () => {
	await using folder = await tempFolder();
	const socket = join(folder.path, "admin.sock");
	const backend = { held: false, reason: "it listens", since: "2026-01-01T00:00:00.000Z" };
	const many = Array.from({ length: 100 }, (_, i) => ({ service: "web", id: `b${i}`, state: "ready", ...backend }));
	const textOf = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
	const asked = new AbortController();
	const server = createServer(async (_request, response) => {
		response.write(textOf("status", daemonStatus({ services: [{ name: "web", backends: [] }] })));
		await once(asked.signal, "abort");
		response.end(many.map((one) => textOf("backend", one)).join(""));
	}).listen(socket);
	await once(server, "listening");

	const got: DaemonStatus[] = [];
	const onStatus = (status: DaemonStatus) => {
		got.push(status);
		asked.abort();
	};
	await expect(follow(socket, onStatus, new AbortController().signal)).rejects.toThrow("ended, or was started anew");
	server.close();
	expect(got[0]?.services[0]?.backends).toHaveLength(0);
	expect(got.at(-1)?.services[0]?.backends).toHaveLength(100);
	// some 10 KB may come in a few pieces
	expect(got.length).toBeLessThan(10);
});
