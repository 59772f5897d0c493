import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ContainerChange } from "../../src/identity/container.js";
import type { ContainerEngine } from "../host/container-engine.js";
import { openDocker } from "../host/docker.js";
import { openClient } from "../host/engine-client.js";
import { eventually } from "../host/eventually.js";
import { openPodman } from "../host/podman.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

const isGone = (id: string) => (change: ContainerChange) => change.id === id && change.container === undefined;

describe.skipIf(skipPrivileged).each([
	["Docker", openDocker],
	["Podman", openPodman],
] as const)("a real %s", (name, open) => {
	let engine: ContainerEngine;
	beforeAll(async () => {
		engine = await open();
	});
	afterEach(async () => {
		const ids = await engine.exec("ps", "--all", "--quiet");
		if (ids !== "") await engine.exec("rm", "--force", ...ids.split("\n"));
	});
	afterAll(async () => {
		await engine?.close();
	});
	const names = ({ engine: { containers } }: ReturnType<typeof openClient>) =>
		[...containers()].map((container) => container.name).sort();

	test("lists what runs, and inspects it", async () => {
		const before = await engine.run({
			name: "before",
			labels: { "solisten.service": "web" },
			env: { VIRTUAL_HOST: "a.example", SERVICE_80_NAME: "web", SECRET: "hidden", XVIRTUAL_HOST: "no" },
			publish: ["127.0.0.1:8080:80", "81"],
			stopSignal: "SIGQUIT",
		});
		await using client = openClient(engine.socket);
		const known = await client.knows(before.id);
		expect(known).toMatchObject({ id: before.id, name: "before", stopSignal: "SIGQUIT", exposed: [80, 81] });
		expect(known.image).toMatch(/^(\S+\/)?busybox:latest$/);
		expect(known.labels).toEqual(new Map([["solisten.service", "web"]]));
		expect(known.env).toEqual(
			new Map([
				["VIRTUAL_HOST", "a.example"],
				["SERVICE_80_NAME", "web"],
			]),
		);
		expect(known.published).toContainEqual({ port: 80, hostAddress: "127.0.0.1", hostPort: 8080 });
		expect(known.published).toContainEqual({ port: 81, hostAddress: "0.0.0.0", hostPort: expect.any(Number) });
		// An inspect may have answered before the list did.
		const said = await eventually("it is reached", () => client.lines(30)[0]);
		expect(said.msg).toBe(`${name} is asked for containers`);
		expect(names(client)).toEqual(["before"]);
		await before.remove();
		await client.told(isGone(before.id));
		expect(names(client)).toEqual([]);
	});

	test("tells of a start, of an end, and of a start again", async () => {
		await using client = openClient(engine.socket);
		await eventually("it is reached", () => client.lines(30).length === 1);
		const web = await engine.run({ name: "web", env: { VIRTUAL_PORT: "80" } });
		const known = await client.knows(web.id);
		expect(known.env).toEqual(new Map([["VIRTUAL_PORT", "80"]]));
		await eventually("it runs", () => names(client).includes("web"));
		await web.stop();
		await client.told(isGone(web.id));
		const from = client.changes.length;
		await web.start();
		await client.told(({ id, container }) => id === web.id && container?.name === "web", from);
		await web.remove();
		await eventually("it is gone", () => names(client).length === 0);
		expect(client.lines(40)).toEqual([]);
	});

	test("answers a lookup that is ahead of its events", async () => {
		await using client = openClient(engine.socket);
		await eventually("it is reached", () => client.lines(30).length === 1);
		const web = await engine.run({ labels: { tier: "front" } });
		const known = await client.knows(web.id);
		expect(known.labels).toEqual(new Map([["tier", "front"]]));
		expect((await client.waits("0".repeat(64), "does not know container")).startsWith(`${name} at `)).toBe(true);
		await web.remove();
	});

	test("gives labels as they are, whatever is in them", async () => {
		await using client = openClient(engine.socket);
		const labels = { lines: "one\ntwo\n", quotes: `"'\`{}$(x)\\`, long: "x".repeat(10_000), umlaut: "ü", empty: "" };
		const web = await engine.run({ labels });
		const known = await client.knows(web.id);
		expect(known.labels).toEqual(new Map(Object.entries({ ...labels, long: "x".repeat(4096) })));
		await web.remove();
	});

	test("tells a new name", async () => {
		await using client = openClient(engine.socket);
		const web = await engine.run({ name: "old" });
		await client.knows(web.id);
		await eventually("it runs", () => names(client).includes("old"));
		await engine.exec("rename", web.id, "new");
		await client.knows(web.id, (container) => container.name === "new");
		await client.told(({ id, container }) => id === web.id && container?.name === "new");
		await web.remove();
	});

	test("tells that a container was connected to a network, and disconnected", async () => {
		await using client = openClient(engine.socket);
		await engine.exec("network", "create", "other");
		const web = await engine.run({ network: "other" });
		await engine.exec("network", "create", "another");
		await client.knows(web.id);
		await eventually("it runs", () => names(client).length === 1);
		let from = client.changes.length;
		await engine.exec("network", "connect", "another", web.id);
		await client.told(({ id, isMoved, container }) => id === web.id && isMoved && container !== undefined, from);
		from = client.changes.length;
		await engine.exec("network", "disconnect", "another", web.id);
		await client.told(({ id, isMoved }) => id === web.id && isMoved, from);
		await web.remove();
		await engine.exec("network", "rm", "other", "another");
	});

	test("tells two apart that have the same name, one after the other", async () => {
		await using client = openClient(engine.socket);
		const first = await engine.run({ name: "same", labels: { version: "1" } });
		await client.knows(first.id);
		await first.remove();
		const second = await engine.run({ name: "same", labels: { version: "2" } });
		const known = await client.knows(second.id);
		expect(known.labels.get("version")).toBe("2");
		await eventually("only one runs", () => {
			const ids = [...client.engine.containers()].map(({ id }) => id);
			return ids.length === 1 && ids[0] === second.id;
		});
		await second.remove();
	});

	test("is listed anew when it was killed and comes back; meanwhile all stays", async () => {
		await using client = openClient(engine.socket);
		const stays = await engine.run({ name: "stays" });
		const ends = await engine.run({ name: "ends" });
		for (const { id } of [stays, ends]) await client.knows(id);
		await eventually("they run", () => names(client).length === 2);
		const from = client.changes.length;
		await engine.kill();
		await eventually("the loss is told", () => client.lines(40).length === 1);
		await client.waits("0".repeat(64), "cannot be reached");
		process.kill(ends.pid, "SIGKILL");
		expect(names(client)).toEqual(["ends", "stays"]);
		await engine.restart();
		// between two attempts there are up to 10 s, when it was away for as long
		await eventually("it is reached again", () => client.lines(30).length === 2, { timeoutMs: 20_000 });
		await client.told(isGone(ends.id), from);
		expect(names(client)).toEqual(["stays"]);
		expect(client.changes.slice(from).filter(isGone(stays.id))).toEqual([]);
		const later = await engine.run({ name: "later" });
		await client.knows(later.id);
		for (const container of [stays, ends, later]) await container.remove();
	});
});
