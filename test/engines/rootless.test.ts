/** Containers of an engine that runs without root, as its user sees them: published ports to traffic. */

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startClient } from "../host/client.js";
import type { ContainerEngine } from "../host/container-engine.js";
import { joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { enter } from "../host/netns.js";
import { operate } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { openRootlessPodman } from "../host/rootless-podman.js";

requirePrivileges();

const labels = { "solisten.service": "web" };

describe.skipIf(skipPrivileged)("with a real Podman without root", () => {
	let engine: ContainerEngine;
	beforeAll(async () => {
		engine = await openRootlessPodman();
	});
	afterEach(async () => {
		const ids = await engine.exec("ps", "--all", "--quiet");
		if (ids !== "") await engine.exec("rm", "--force", ...ids.split("\n"));
	});
	afterAll(async () => {
		await engine?.close();
	});

	/** HAProxy and the daemon are on what is the host to it. */
	const openEdgeBeside = () =>
		openEdge({
			within: engine.netns,
			services: {},
			proxy: { netns: "host" },
			settings: { discovery: { docker: `unix://${engine.socket}` } },
		});

	test("all containers have the same address, and join at their published ports; a restart of the daemon changes nothing", async () => {
		await using edge = await openEdgeBeside();
		const first = await edge.startDaemon(engine.netns);
		for (const [name, port] of [
			["one", 8081],
			["two", 8082],
		] as const) {
			await engine.run({ labels, publish: [`${port}:80`], options: ["--hostname", name] });
			await joined(first, `web/127.0.0.1:${port}`);
		}
		const answers = async () => {
			const bodies = new Set<string>();
			for (let asked = 0; asked < 6; asked++) bodies.add((await ask(edge.url)).body.trim());
			return [...bodies].sort().join();
		};
		await eventually("both answer", async () => (await answers()) === "one,two");
		const client = edge.owned.own(startClient(edge.url));
		await first.kill();
		const second = await edge.startDaemon(engine.netns);
		await eventually("both are known", async () => {
			const status = await operate(edge, "status");
			return [8081, 8082].every((port) => new RegExp(`127.0.0.1:${port} +ready .* it listens`).test(status));
		});
		// the client takes turns, too: a round may find the same one each time
		await eventually("both answer still", async () => (await answers()) === "one,two");
		await client.close();
		expect(client.failed).toBe(0);
		expect(second.lines.some(({ left: gone }) => Array.isArray(gone) && gone.length > 0)).toBe(false);
	});

	test("a container leaves when its application closes, although its port is taken still", async () => {
		await using edge = await openEdgeBeside();
		const daemon = await edge.startDaemon(engine.netns);
		const command = ["sh", "-c", "httpd -p 80 -h /www; exec sleep 1000"];
		const web = await engine.run({ labels: { ...labels, "solisten.port": "80" }, publish: ["8081:80"], command });
		await joined(daemon, "web/127.0.0.1:8081");
		await engine.exec("exec", web.id, "killall", "httpd");
		await left(daemon, "web/127.0.0.1:8081");
		const [program = "", ...words] = [...enter(engine.netns), "bash", "-c", ": < /dev/tcp/127.0.0.1/8081"];
		await execa(program, words);
	});

	test("one that publishes nothing is told to", async () => {
		await using edge = await openEdgeBeside();
		await edge.startDaemon(engine.netns);
		const web = await engine.run({ labels });
		const mend = "no port of the host leads to it either (publish port 80 of the container)";
		await eventually("it is told to", async () => (await operate(edge, "explain", web.name)).includes(mend));
	});
});
