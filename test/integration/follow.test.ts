import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { ContainerChange } from "../../src/identity/container.js";
import { followEngine } from "../../src/identity/engine/follow.js";
import { idOf, openEngineServer } from "../host/engine-server.js";
import { eventually } from "../host/eventually.js";

const blue = { id: idOf("blue"), name: "blue", env: ["SERVICE_NAME=web"] };
const green = { id: idOf("green"), name: "green" };

/** Follows an engine that has told all of both. */
async function following() {
	const server = await openEngineServer();
	for (const container of [blue, green]) server.start(container, "lost");
	const changes: ContainerChange[] = [];
	const engine = followEngine({ log: pino({ level: "silent" }), onChange: (news) => changes.push(...news) });
	await engine.follow(`unix://${server.socket}`);
	await eventually(
		"both are known",
		() => [...engine.containers()].filter(({ env }) => env !== undefined).length === 2,
	);
	changes.length = 0;
	const dispose = async () => {
		await engine.close();
		await server.close();
	};
	return { server, engine, changes, [Symbol.asyncDispose]: dispose };
}

describe("another engine", () => {
	test("that does not answer takes nothing of what the one before told", async () => {
		await using host = await following();
		const { engine, changes } = host;
		await engine.follow("unix:///nowhere/docker.sock");
		expect(engine.lookup(blue.id)).toMatchObject({
			state: "known",
			container: { env: new Map([["SERVICE_NAME", "web"]]) },
		});
		expect([...engine.containers()]).toHaveLength(2);
		expect(changes).toEqual([]);
	});

	test("says with its list who of them is gone, and takes nothing of the others meanwhile", async () => {
		await using host = await following();
		const { engine, changes } = host;
		await using other = await openEngineServer();
		const answer = other.hold(blue.id);
		other.start(blue, "lost");
		await engine.follow(`unix://${other.socket}`);
		await eventually("one is gone", () => changes.length > 0);
		expect(changes).toEqual([{ id: green.id, container: undefined, isMoved: false }]);
		expect(engine.lookup(blue.id)).toMatchObject({
			state: "known",
			container: { env: new Map([["SERVICE_NAME", "web"]]) },
		});
		answer();
	});

	test("of none: all of them are unknown", async () => {
		await using host = await following();
		const { engine, changes } = host;
		await engine.follow(undefined);
		expect(engine.lookup(blue.id)).toBeUndefined();
		expect(changes.map(({ id, container }) => ({ id, container }))).toEqual([
			{ id: blue.id, container: undefined },
			{ id: green.id, container: undefined },
		]);
	});
});
