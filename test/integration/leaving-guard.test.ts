import { describe, expect, test } from "vitest";
import type { Daemon } from "../host/daemon.js";
import { type Edge, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import { answersAre, operate, resync, type Served, serve, serversOf, toldOf, untilTold } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

const match = { port: 80, netns: `slt-${process.pid}-*` };

async function serveMany(edge: Edge, daemon: Daemon, count: number): Promise<Served[]> {
	const all: Served[] = [];
	for (let n = 1; n <= count; n++) all.push(await serve(edge, daemon, `app${n}`));
	return all;
}

const idsIn = async (edge: Edge, admin: string) =>
	(await serversOf(edge)).filter((server) => server.admin === admin).map(({ address }) => address);

describe.skipIf(skipPrivileged)("backends that are told to stop together", () => {
	test("drain one after the other, and the last one not at all", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const all = await serveMany(edge, daemon, 4);
		for (const app of all) await app.signal("SIGTERM");
		const drains = ({ lines }: Daemon) => lines.filter(({ state }) => state === "drain").map(({ backend }) => backend);
		for (const [index, app] of all.entries()) {
			const rest = all.slice(index + 1);
			if (rest.length === 0) break;
			await untilTold(edge, app.id, "drain", /^told to stop by SIGTERM$/);
			for (const { id } of rest) await untilTold(edge, id, "ready", /, and stays: too many would be out$/);
			await eventually("HAProxy has one of them in drain", async () => {
				return (await idsIn(edge, "drain")).join() === app.id;
			});
			await expect.poll(() => drains(daemon)).toEqual(all.slice(0, index + 1).map(({ id }) => id));
			await answersAre(edge, ...rest.map(({ name }) => name));
			await app.tell("close");
		}
		const last = all.at(-1);
		await left(daemon, `web/${all.at(-2)?.id}`);
		expect(await idsIn(edge, "ready")).toEqual([last?.id]);
		expect(drains(daemon)).not.toContain(last?.id);
		await answersAre(edge, last?.name ?? "");
	});
});

describe.skipIf(skipPrivileged)("backends that lose their address without a close", () => {
	const WARNING = "too many backends would leave at once: they stay until the kernel's table confirms it";

	test("wait for the kernel's table to confirm it when they are many, and not when it is one", async () => {
		await using edge = await openEdge({ services: { web: { match, lastGrace: "0s" } } });
		const daemon = await edge.startDaemon();
		const [first, ...rest] = await serveMany(edge, daemon, 5);
		const indexOf = (id: string) =>
			daemon.lines.findIndex(({ left: gone }) => Array.isArray(gone) && gone.includes(`web/${id}`));
		const warnings = () => daemon.lines.filter(({ msg }) => msg === WARNING);

		await ip(["addr flush dev eth0"], first?.netns.name);
		await resync(edge);
		await left(daemon, `web/${first?.id}`);
		expect(warnings()).toEqual([]);
		await answersAre(edge, ...rest.map(({ name }) => name));

		for (const { netns } of rest) await ip(["addr flush dev eth0"], netns.name);
		await resync(edge);
		await daemon.waitFor(WARNING);
		const warned = daemon.lines.findIndex(({ msg }) => msg === WARNING);
		for (const { id } of rest) {
			await left(daemon, `web/${id}`);
			expect(indexOf(id)).toBeGreaterThan(warned);
		}
		expect(warnings()).toHaveLength(1);
		expect(await idsIn(edge, "ready")).toEqual([]);

		// Who has its address again is back, also without a resync.
		const [second] = rest;
		await ip([`addr add ${second?.netns.address}/24 dev eth0`], second?.netns.name);
		await answersAre(edge, second?.name ?? "");
	});
});

describe.skipIf(skipPrivileged)("a backend that comes and goes", () => {
	const flap = { max: 3, window: "10s", hold: "3s" };

	/** Closes and listens again, each of which the daemon sees. */
	async function restart(app: Served, daemon: Daemon) {
		const from = daemon.lines.length;
		await app.tell("close");
		await daemon.waitFor("closed", { from });
		await app.tell("listen");
		await daemon.waitFor("listening", { from });
	}

	test("is held out for a while where another is ready, which status says, then let in", async () => {
		await using edge = await openEdge({ settings: { flap } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await serve(edge, daemon, "green");
		for (let closes = 1; closes < flap.max; closes++) await restart(blue, daemon);
		await untilTold(edge, blue.id, "ready", /^it listens$/);
		const from = daemon.lines.length;
		await restart(blue, daemon);
		expect(await toldOf(edge, blue.id)).toMatchObject({
			state: "out",
			reason: expect.stringMatching(/^held out for [\d.]+ m?s: closed 3 times in 10 s$/),
		});
		expect(await operate(edge, "status")).toMatch(
			new RegExp(`^web +${blue.id} +out .* held out for [\\d.]+ m?s: `, "m"),
		);
		await eventually("it is back", async () => (await idsIn(edge, "ready")).includes(blue.id));
		const line = daemon.lines.slice(from).find(({ msg }) => msg === "listening");
		expect(line?.["verdict"]).toMatch(/^out: web: held out for [\d.]+ m?s: closed 3 times in 10 s$/);
		await answersAre(edge, "blue", "green");
	});

	test("is never held out while it is alone", async () => {
		await using edge = await openEdge({ settings: { flap } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		for (let closes = 1; closes <= flap.max; closes++) await restart(blue, daemon);
		await untilTold(edge, blue.id, "ready", /^closed 3 times in 10 s, and no other is ready$/);
		await answersAre(edge, "blue");
		expect(daemon.lines.filter(({ verdict }) => /held out/.test(String(verdict)))).toEqual([]);
		expect(await idsIn(edge, "ready")).toEqual([blue.id]);
	});
});
