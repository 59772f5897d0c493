import { describe, expect, test } from "vitest";
import type { ContainerChange } from "../../src/identity/container.js";
import { openClient } from "../host/engine-client.js";
import { type FakeContainer, idOf, type Manner, openEngineServer } from "../host/engine-server.js";
import { eventually } from "../host/eventually.js";

const containerOf = (name: string, more: Partial<FakeContainer> = {}): FakeContainer => ({
	id: idOf(name),
	name,
	...more,
});
const blue = containerOf("blue", {
	labels: { "solisten.service": "web" },
	env: ["VIRTUAL_HOST=a.example", "SECRET=1"],
});
const green = containerOf("green", { publish: { 80: 8080 }, stopSignal: "SIGQUIT" });

const isOf = (id: string) => (change: ContainerChange) => change.id === id;
const isGone = (id: string) => (change: ContainerChange) => change.id === id && change.container === undefined;
const names = (containers: Iterable<{ name: string }>) => [...containers].map(({ name }) => name).sort();

/** A client that has its list, and an inspect of each that runs. */
async function settled(...running: FakeContainer[]) {
	const server = await openEngineServer();
	for (const container of running) server.start(container, "lost");
	const client = openClient(server.socket);
	await eventually("it is reached", () => client.lines(30).length === 1);
	for (const { id } of running) await client.knows(id);
	const dispose = async () => {
		await client[Symbol.asyncDispose]();
		await server.close();
	};
	return { server, client, [Symbol.asyncDispose]: dispose };
}

describe("what runs already", () => {
	test("is known from one list, and by one inspect each", async () => {
		await using host = await settled(blue, green);
		const { server, client } = host;
		expect(client.engine.lookup(blue.id)).toEqual({
			state: "known",
			container: {
				id: blue.id,
				name: "blue",
				image: "busybox",
				labels: new Map([["solisten.service", "web"]]),
				env: new Map([["VIRTUAL_HOST", "a.example"]]),
				exposed: [],
				published: [],
				stopSignal: undefined,
			},
		});
		expect(client.engine.lookup(green.id)).toMatchObject({
			container: {
				exposed: [80],
				published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }],
				stopSignal: "SIGQUIT",
			},
		});
		expect(names(client.engine.containers())).toEqual(["blue", "green"]);
		expect([server.count("events"), server.count("list"), server.count("inspect")]).toEqual([1, 1, 2]);
		expect(server.requests[0]).toBe("/events");
		expect(client.lines(30)[0]).toMatchObject({ msg: "Docker is asked for containers", version: "20.10.24" });
		expect(client.lines(40)).toEqual([]);
	});

	test("is known with its labels before it is inspected", async () => {
		await using server = await openEngineServer();
		server.start(blue, "lost");
		server.answer(blue.id, "hang");
		await using client = openClient(server.socket);
		const known = await client.knows(blue.id, () => true);
		expect(known.labels.get("solisten.service")).toBe("web");
		expect(known.env).toBeUndefined();
	});

	test("is not brought back by a list that is older than its end, nor ended by one that is older than its start", async () => {
		await using server = await openEngineServer();
		server.start(blue, "lost");
		const release = server.hold("/containers/json");
		await using client = openClient(server.socket);
		await eventually("the list is asked for", () => server.count("list") === 1);
		server.die(blue.id);
		server.start(green);
		await client.knows(green.id);
		release();
		await eventually("the list is there", () => client.lines(30).length === 1);
		expect(names(client.engine.containers())).toEqual(["green"]);
		expect(client.changes.filter(isGone(green.id))).toEqual([]);
	});

	test("is inspected a few at a time, however many there are", async () => {
		await using server = await openEngineServer();
		const many = Array.from({ length: 40 }, (_, n) => containerOf(`many-${n}`));
		for (const container of many) server.start(container, "lost");
		const releases = many.map(({ id }) => server.hold(id));
		await using client = openClient(server.socket);
		await eventually("some are asked for", () => server.count("inspect") > 0);
		// One that is urgent does not wait for them.
		server.start(blue);
		await client.knows(blue.id);
		expect(server.count("inspect")).toBe(4 + 1);
		for (const release of releases) release();
		for (const { id } of many) await client.knows(id);
		expect(server.count("inspect")).toBe(40 + 1);
	});
});

describe("a start", () => {
	test("costs one inspect, and no list", async () => {
		await using host = await settled();
		const { server, client } = host;
		server.start(blue);
		await client.knows(blue.id);
		server.start(green);
		await client.knows(green.id);
		expect([server.count("list"), server.count("inspect")]).toEqual([1, 2]);
		server.die(blue.id);
		await client.told(isGone(blue.id));
		const from = client.changes.length;
		server.start(blue);
		await client.told(isOf(blue.id), from);
		await eventually("it is inspected anew", () => server.count("inspect", blue.id) === 2);
		expect([server.count("list"), server.count("inspect")]).toEqual([1, 3]);
	});

	test("needs no inspect of its own when there was one since the create, unless ports are given out", async () => {
		await using host = await settled();
		const { server, client } = host;
		for (const container of [blue, green]) {
			server.create(container);
			await client.knows(container.id);
			expect(names(client.engine.containers())).not.toContain(container.name);
			server.start(container);
			await eventually("it runs", () => names(client.engine.containers()).includes(container.name));
		}
		const known = await client.knows(green.id, ({ published }) => published.length > 0);
		expect(known.published).toEqual([{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }]);
		expect([server.count("inspect", blue.id), server.count("inspect", green.id)]).toEqual([1, 2]);
	});

	test("is known with its labels from its events, however long the inspect takes", async () => {
		await using host = await settled();
		const { server, client } = host;
		const release = server.hold(blue.id);
		server.create(blue);
		const known = await client.knows(blue.id, () => true);
		expect(known).toMatchObject({ name: "blue", image: "busybox", env: undefined });
		expect(known.labels).toEqual(new Map([["solisten.service", "web"]]));
		server.start(blue);
		await eventually("it runs", () => names(client.engine.containers()).length === 1);
		release();
		await client.knows(blue.id);
		expect(server.count("inspect")).toBe(1);
	});

	test("gives ports that an inspect under way was too early for", async () => {
		await using host = await settled();
		const { server, client } = host;
		const release = server.hold(green.id);
		server.create(green);
		await eventually("it is asked for", () => server.count("inspect") === 1);
		server.start(green);
		await eventually("it runs", () => names(client.engine.containers()).length === 1);
		release();
		await client.knows(green.id, ({ published }) => published.length > 0);
		expect(server.count("inspect")).toBe(2);
	});

	test("that a lookup was ahead of costs the one inspect of the lookup", async () => {
		await using host = await settled();
		const { server, client } = host;
		server.start(green, "lost");
		expect(client.engine.lookup(green.id).state).toBe("waiting");
		expect(client.engine.lookup(green.id).state).toBe("waiting");
		await client.told(isOf(green.id));
		await client.knows(green.id);
		server.tellStart(green.id);
		// Its event comes before those of the next.
		server.start(blue);
		await client.knows(blue.id);
		expect(server.count("inspect", green.id)).toBe(1);
	});
});

describe("what changes", () => {
	test("an end removes it, with the answer that is still to come; what it was stays known for its next start", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		const release = server.hold(blue.id);
		server.rename(blue.id, "indigo");
		await eventually("it is asked for", () => server.count("inspect") === 2);
		server.die(blue.id);
		await client.told(isGone(blue.id));
		release();
		server.start(green);
		await client.knows(green.id);
		expect(names(client.engine.containers())).toEqual(["green"]);
		expect(client.changes.filter(isOf(blue.id)).at(-1)?.container).toBeUndefined();
		expect(client.engine.lookup(blue.id)).toMatchObject({ state: "known", container: { name: "blue" } });
	});

	test("a new name is told, by the newest answer", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		const release = server.hold(blue.id);
		server.rename(blue.id, "indigo");
		await eventually("it is asked for", () => server.count("inspect") === 2);
		server.rename(blue.id, "navy");
		server.start(green);
		await client.knows(green.id);
		release();
		await client.knows(blue.id, ({ name }) => name === "navy");
		expect(client.changes.filter(isOf(blue.id)).at(-1)?.container?.name).toBe("navy");
	});

	test("another network is told, and its ports are looked at", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		server.connect(blue.id);
		const change = await client.told(({ isMoved }) => isMoved);
		expect(change).toMatchObject({ id: blue.id, container: { name: "blue" } });
		await eventually("it is inspected", () => server.count("inspect") === 2);
	});

	test("an end that is told late, of an earlier life, changes nothing", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		const timeNano = (Date.now() - 60_000) * 1e6;
		server.send(JSON.stringify({ Type: "container", Action: "die", Actor: { ID: blue.id, Attributes: {} }, timeNano }));
		server.start(green);
		await client.knows(green.id);
		expect(names(client.engine.containers())).toEqual(["blue", "green"]);
	});
});

describe("an engine that is lost", () => {
	test("keeps what is known; when it is back one list tells all differences", async () => {
		const yellow = containerOf("yellow");
		await using host = await settled(blue, yellow);
		const { server, client } = host;
		const from = client.changes.length;
		await server.stop();
		await eventually("the loss is noticed", () => client.lines(40).length === 1);
		expect(names(client.engine.containers())).toEqual(["blue", "yellow"]);
		expect(client.changes).toHaveLength(from);
		const why = await client.waits(green.id, "cannot be reached");
		expect(why).toBe(
			`Docker at ${server.socket} cannot be reached: there is no such socket (is it running, and is this its socket?)`,
		);

		server.die(blue.id, "lost");
		server.start(green, "lost");
		await server.listen();
		await client.knows(green.id);
		await client.told(isGone(blue.id), from);
		expect(client.changes.slice(from).filter(isOf(yellow.id))).toEqual([]);
		expect(names(client.engine.containers())).toEqual(["green", "yellow"]);
		expect([server.count("list"), server.count("inspect", yellow.id), server.count("inspect", green.id)]).toEqual([
			2, 1, 1,
		]);
		expect(client.lines(40)).toHaveLength(1);
		expect(client.lines(30)).toHaveLength(2);
	});

	test("is listed anew whenever its events end, and only then", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		server.hangUp();
		await eventually("it is listed again", () => server.count("list") === 2);
		server.start(green);
		await client.knows(green.id);
		server.send("this is no event");
		await eventually("what can't be read is a loss, too", () => server.count("list") === 3);
		expect(names(client.engine.containers())).toEqual(["blue", "green"]);
		expect(client.changes.filter(({ container }) => container === undefined)).toEqual([]);
	});

	test("need not be there at first", async () => {
		await using server = await openEngineServer({ isThere: false });
		await using client = openClient(server.socket);
		await client.waits(blue.id, "cannot be reached: there is no such socket");
		server.start(blue, "lost");
		await server.listen();
		await client.knows(blue.id);
		expect(client.lines(40)).toHaveLength(1);
	});
});

describe("an engine that goes wrong", () => {
	const manners: [Manner, string][] = [
		["hang", "does not answer (5 s)"],
		["truncate", "hung up in the middle of its answer"],
		["nonsense", "answers what is no container"],
		["garbage", "answers what is no JSON"],
		["endless", "answers with more than 4194304 bytes"],
		["404", `does not know container ${green.id.slice(0, 12)}`],
		["500", "answers 500"],
	];
	test.each(manners)(
		"at an inspect (%s) says why, delays nobody else, and is asked until it answers",
		async (manner, words) => {
			await using host = await settled(blue);
			const { server, client } = host;
			server.answer(green.id, manner);
			server.start(green, "lost");
			const why = await client.waits(green.id, words);
			expect(why).toContain(`Docker at ${server.socket} `);
			const red = containerOf("red");
			server.start(red);
			await client.knows(red.id);
			expect(names(client.engine.containers())).toEqual(["blue", "red"]);
			await eventually("it is asked again by itself", () => server.count("inspect", green.id) >= 2);
			server.answer(green.id, "well");
			await client.knows(green.id);
			await client.told(isOf(green.id));
			expect(client.lines(40).length).toBeLessThanOrEqual(1);
			expect(server.count("list")).toBe(1);
		},
	);

	test("with 404 for one that exists is asked again at once when there is an event of it", async () => {
		await using host = await settled();
		const { server, client } = host;
		await client.waits(green.id, "does not know container");
		// The pauses are long by now; the event makes them short.
		await eventually("it was asked often enough", () => server.count("inspect") >= 2);
		server.start(green);
		await client.knows(green.id);
		expect(server.count("inspect")).toBe(3);
	});

	test.each(["truncate", "nonsense", "garbage", "404", "500"] as const)(
		"at the list (%s) removes nothing, and is asked again",
		async (manner) => {
			await using host = await settled(blue);
			const { server, client } = host;
			server.answer("/containers/json", manner);
			server.hangUp();
			await eventually("it is asked for lists", () => server.count("list") >= 4);
			expect(names(client.engine.containers())).toEqual(["blue"]);
			// Its events and inspects are as good as ever.
			server.start(green);
			await client.knows(green.id);
			server.answer("/containers/json", "well");
			await eventually("it is reached again", () => client.lines(30).length === 2);
			expect(client.lines(40)).toHaveLength(1);
			expect(client.changes.filter(({ container }) => container === undefined)).toEqual([]);
		},
	);

	test("at the list, by hanging, holds up no lookup", async () => {
		await using server = await openEngineServer();
		server.answer("/containers/json", "hang");
		await using client = openClient(server.socket);
		server.start(blue, "lost");
		await client.knows(blue.id);
	});

	test("at its events, by hanging, is a loss that is told", async () => {
		await using host = await settled(blue);
		const { server, client } = host;
		server.answer("/events", "hang");
		server.hangUp();
		await client.waits(green.id, "broke off its events");
		const why = await client.waits(green.id, "does not answer (5 s)");
		expect(why).toBe(`Docker at ${server.socket} does not answer (5 s)`);
		expect(names(client.engine.containers())).toEqual(["blue"]);
		expect(client.lines(40)).toHaveLength(1);
	});

	test("lists one that can't be told: nobody counts as gone for that", async () => {
		await using host = await settled(blue, green);
		const { server, client } = host;
		server.die(blue.id, "lost");
		server.start({ id: "nonsense", name: "nobody" }, "lost");
		server.hangUp();
		await eventually("it is listed again", () => client.lines(30).length >= 2 && server.followers() === 1);
		expect(names(client.engine.containers())).toEqual(["blue", "green"]);
	});

	test("labels of the wrong kind, and huge ones, leave the container known", async () => {
		await using host = await settled();
		const { server, client } = host;
		const labels = { "solisten.service": "web", long: "x".repeat(10_000), number: 7, none: null, "a\nb": '"}\n' };
		server.start({ ...blue, labels });
		const known = await client.knows(blue.id);
		expect(known.labels).toEqual(
			new Map([
				["solisten.service", "web"],
				["long", "x".repeat(4096)],
				["a\nb", '"}\n'],
			]),
		);
		server.start({ ...green, labels: "none" });
		expect((await client.knows(green.id)).labels.size).toBe(0);
	});

	test("is left alone once the client is closed", async () => {
		const server = await openEngineServer();
		server.answer("/containers/json", "hang");
		server.answer(blue.id, "hang");
		const client = openClient(server.socket);
		await client.waits(blue.id, "has not answered yet");
		await eventually("it is asked", () => server.count("inspect") === 1);
		await client.engine.close();
		const asked = server.requests.length;
		server.start(green);
		await eventually("nobody follows it", () => server.followers() === 0);
		await server.close();
		expect(server.requests).toHaveLength(asked);
		expect(client.changes).toEqual([]);
	});
});
