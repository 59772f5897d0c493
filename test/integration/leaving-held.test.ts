import { describe, expect, test } from "vitest";
import type { Daemon } from "../host/daemon.js";
import { applied, type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { startHaproxy } from "../host/haproxy.js";
import { ask } from "../host/http.js";
import {
	answersAre,
	operate,
	resync,
	runtime,
	type Served,
	serve,
	serverAt,
	serversOf,
	toldOf,
	untilAdmin,
	untilTold,
} from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill } from "../host/process.js";

requirePrivileges();

const match = { port: 80, netns: `slt-${process.pid}-*` };

async function serveThree(edge: Edge, daemon: Daemon): Promise<readonly [Served, Served, Served]> {
	const one = (name: string) => serve(edge, daemon, name);
	return [await one("blue"), await one("green"), await one("red")];
}

const byHand = async (edge: Edge, id: string, state: "ready" | "drain" | "maint") =>
	runtime(edge, `set server ${(await serverAt(edge, id)).name} state ${state}`);

const workerOf = async (edge: Edge) => /^Pid: (\d+)$/m.exec(await runtime(edge, "show info"))?.[1];

describe.skipIf(skipPrivileged)("what a person says of a backend", () => {
	test("is so in HAProxy, while others join and leave, until it is released", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const [blue, green, red] = await serveThree(edge, daemon);
		await operate(edge, "drain", blue.id);
		await operate(edge, "hold", `web/${green.id}`);
		await untilAdmin(edge, blue.id, "drain");
		await untilAdmin(edge, green.id, "maint");
		await untilTold(edge, blue.id, "drain", /^a person drained it$/);
		await untilTold(edge, green.id, "down", /^a person took it out$/);
		await answersAre(edge, "red");
		await serve(edge, daemon, "white");
		await answersAre(edge, "red", "white");
		await red.tell("close");
		await left(daemon, `web/${red.id}`);
		await answersAre(edge, "white");
		await operate(edge, "release", blue.id);
		await operate(edge, "release", green.id);
		await untilAdmin(edge, blue.id, "ready");
		await untilAdmin(edge, green.id, "ready");
		await answersAre(edge, "blue", "green", "white");
		expect(applied(daemon).some(({ reload }) => reload === true)).toBe(false);
	});

	test("outlives the daemon, and reloads and restarts of HAProxy by others", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		const [blue, green] = await serveThree(edge, first);
		await operate(edge, "drain", blue.id);
		await operate(edge, "hold", green.id);
		const isHeld = async () => {
			await untilAdmin(edge, blue.id, "drain");
			await untilAdmin(edge, green.id, "maint");
			await answersAre(edge, "red");
			expect(await toldOf(edge, blue.id)).toMatchObject({ state: "drain", held: true });
			expect(await toldOf(edge, green.id)).toMatchObject({ state: "down", held: true });
		};
		await isHeld();
		await first.kill();
		const second = await edge.startDaemon();
		await isHeld();
		expect(applied(second)).toEqual([]);

		const before = await workerOf(edge);
		kill(edge.haproxy.pid, "SIGUSR2");
		await eventually("another worker answers", async () => (await workerOf(edge)) !== before);
		await isHeld();

		await edge.haproxy.stop();
		const haproxy = await startHaproxy({ dir: edge.folder, configFiles: [edge.output] });
		edge.owned.own({ close: haproxy.stop });
		await isHeld();
		await operate(edge, "release", "web");
		await answersAre(edge, "blue", "green", "red");
	});

	test("wins over the last one: the only backend is out", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await operate(edge, "hold", blue.id);
		await untilAdmin(edge, blue.id, "maint");
		expect((await ask(edge.url)).status).toBe(503);
		expect(await operate(edge, "status")).toMatch(
			new RegExp(`^web +${blue.id} +held \\(down\\) .* a person took it out$`, "m"),
		);
		await operate(edge, "release", blue.id);
		await answersAre(edge, "blue");
	});
});

describe.skipIf(skipPrivileged)("a state that was set at HAProxy's runtime socket", () => {
	test("is held from the next resync on, kept while the backend is gone, and released by solistend", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await serve(edge, daemon, "green");
		await byHand(edge, blue.id, "maint");
		await resync(edge);
		await untilTold(edge, blue.id, "down", /^a person took it out$/);
		const status: unknown = JSON.parse(await operate(edge, "status", "--json"));
		expect(status).toMatchObject({ holds: [{ service: "web", id: blue.id, state: "down" }] });
		const from = daemon.lines.length;
		await blue.tell("close");
		await daemon.waitFor("closed", { from });
		expect(await toldOf(edge, blue.id)).toBeUndefined();
		await blue.tell("listen");
		await untilTold(edge, blue.id, "down", /^a person took it out$/);
		expect((await serverAt(edge, blue.id)).admin).toBe("maint");
		await answersAre(edge, "green");
		await operate(edge, "release", blue.id);
		await untilAdmin(edge, blue.id, "ready");
		await answersAre(edge, "blue", "green");
	});

	test("as ready releases what is held", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const [blue, green] = await serveThree(edge, daemon);
		await operate(edge, "drain", blue.id);
		await operate(edge, "hold", green.id);
		await untilAdmin(edge, blue.id, "drain");
		await untilAdmin(edge, green.id, "maint");
		await byHand(edge, blue.id, "ready");
		await byHand(edge, green.id, "ready");
		await resync(edge);
		for (const { id } of [blue, green]) {
			await untilTold(edge, id, "ready", /^it listens$/);
			await untilAdmin(edge, id, "ready");
		}
		await answersAre(edge, "blue", "green", "red");
		const { holds } = JSON.parse(await operate(edge, "status", "--json"));
		expect(holds).toEqual([]);
	});

	test("as ready does not bring back one that was told to stop", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await serve(edge, daemon, "green");
		await blue.signal("SIGTERM");
		await untilAdmin(edge, blue.id, "drain");
		await byHand(edge, blue.id, "ready");
		await resync(edge);
		await untilAdmin(edge, blue.id, "drain");
		await answersAre(edge, "green");
	});
});

describe.skipIf(skipPrivileged)("a configuration that changes", () => {
	test("brings a weight to HAProxy without a reload", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const before = await workerOf(edge);
		await edge.configure({ services: { web: { match, weight: 37 } } });
		await eventually("HAProxy has the weight", async () => (await serverAt(edge, blue.id)).weight === 37);
		await eventually("the file follows", async () => (await edge.written()).includes(`${blue.id} weight 37`));
		const green = await serve(edge, daemon, "green");
		expect((await serverAt(edge, green.id)).weight).toBe(37);
		expect(await workerOf(edge)).toBe(before);
		await answersAre(edge, "blue", "green");
	});

	test.each([
		["that solistend refuses", { balance: "no such thing" }, "configuration not taken, the running one stays"],
		["that HAProxy refuses", { options: { serverOptions: "nonsense" } }, "not applied"],
		["that only a reload brings, and HAProxy refuses", { balance: "nonsense" }, "not applied"],
	])("in a way %s keeps what runs; backends join and leave", async (_, change, line) => {
		const own = { match: { ...match, port: 81 }, hosts: ["own.example"] };
		await using edge = await openEdge({ services: { web: { match }, own } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const other = await serve(edge, daemon, "other", { port: 81, service: "own" });
		const before = await workerOf(edge);
		await edge.configure({ services: { web: { match }, own: { ...own, ...change } } });
		await daemon.waitFor(line);
		const from = daemon.lines.length;
		const green = await serve(edge, daemon, "green");
		await answersAre(edge, "blue", "green");
		await blue.tell("close");
		await left(daemon, `web/${blue.id}`, from);
		await answersAre(edge, "green");
		const second = await serve(edge, daemon, "second", { port: 81, service: "own" });
		await other.tell("close");
		await left(daemon, `own/${other.id}`, from);
		const ready = (await serversOf(edge)).filter(({ admin }) => admin === "ready").map(({ address }) => address);
		expect(ready.sort()).toEqual([green.id, second.id].sort());
		expect(await workerOf(edge)).toBe(before);
		expect(applied(daemon).some(({ reload }) => reload === true)).toBe(false);

		await edge.configure({ services: { web: { match }, own } });
		await daemon.waitFor("configuration taken", { from });
		await eventually("the proxy has it", async () => {
			const { proxies } = JSON.parse(await operate(edge, "status", "--json"));
			return proxies[0].state === "applied";
		});
		await joined(daemon, `own/${second.id}`);
		expect(await workerOf(edge)).toBe(before);
	});
});
