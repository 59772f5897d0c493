import { describe, expect, test } from "vitest";
import { type Booting, startBooting } from "../host/booting.js";
import { startClient } from "../host/client.js";
import { type Edge, joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { answersAre, operate, resync, serve, serverAt, toldOf, untilAdmin, untilTold } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

const HEALTHZ = { http: "/healthz", interval: "20ms" };

const gated = (ready: object, rest: object = {}) => ({
	web: { match: { port: 80, netns: `slt-${process.pid}-*` }, ready, ...rest },
});

/** One that listens, and the name of its backend. */
async function boot(edge: Edge, name: string, status?: number): Promise<Booting & { readonly id: string }> {
	const netns = await edge.segment.addNetns(name);
	const booting = edge.owned.own(await startBooting({ name, netns, ...(status !== undefined && { status }) }));
	return Object.assign(booting, { id: `${netns.address}:80` });
}

const probes = ({ asked }: Booting) => asked.filter(({ path }) => path === "/healthz").length;
const others = ({ asked }: Booting) => asked.filter(({ path }) => path !== "/healthz");

describe.skipIf(skipPrivileged)("a listener that has to answer before it joins", () => {
	test("is asked from its listen on, gets no request before its answer, joins with it, and is asked no more", async () => {
		await using edge = await openEdge({ services: gated(HEALTHZ) });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const client = edge.owned.own(startClient(edge.url));
		const green = await boot(edge, "green");
		await eventually("it was asked thrice", () => probes(green) >= 3);
		await untilTold(
			edge,
			green.id,
			"out",
			/^waits for GET \/healthz at 10\.203\.\d+\.\d+:80: status 503, [\d.]+ s left$/,
		);
		const isShown = new RegExp(`^web +${green.id} +out +.* waits for GET /healthz at ${green.id}: status 503, `, "m");
		expect(await operate(edge, "status")).toMatch(isShown);
		expect(green.asked[0]).toMatchObject({ host: green.id, agent: expect.stringMatching(/^solistend\//) });
		const from = daemon.lines.length;
		expect(others(green)).toEqual([]);
		await green.answer(200);
		await joined(daemon, `web/${green.id}`, from);
		const line = await daemon.waitFor(({ msg }) => /^ready after .*, \d+ probes$/.test(msg), { from });
		expect(line).toMatchObject({ level: "info", service: "web", backend: green.id });
		await eventually("green gets requests", () => others(green).length > 0);
		const asked = probes(green);
		await resync(edge);
		// so that no connection that it has not accepted yet is cut off
		await blue.tell("finish");
		const before = others(green).length;
		await eventually("green serves for a while", () => others(green).length > before + 50);
		expect(probes(green)).toBe(asked);
		await client.close();
		expect(client.failed).toBe(0);
	});

	test("is out for good when its time is over, and is asked again when it listens again", async () => {
		// long enough for a first answer, also of one that begins slowly
		await using edge = await openEdge({ services: gated({ ...HEALTHZ, timeout: "1s" }) });
		const daemon = await edge.startDaemon();
		const green = await boot(edge, "green");
		const why = `GET /healthz at ${green.id} did not answer 200-399 within 1 s (last: status 503; it is asked again when it listens again)`;
		const line = await daemon.waitFor(why);
		expect(line).toMatchObject({ level: "warn", service: "web", backend: green.id });
		expect(await toldOf(edge, green.id)).toMatchObject({ state: "out", reason: why });
		await green.answer(200);
		await resync(edge);
		// here by now is also the question that was on its way as its time was over
		const asked = probes(green);
		expect(asked).toBeGreaterThan(1);
		// what joins meanwhile was asked meanwhile
		await boot(edge, "blue", 200);
		await answersAre(edge, "blue");
		expect(probes(green)).toBe(asked);
		await green.stop();
		await green.listen();
		await answersAre(edge, "blue", "green");
		expect(probes(green)).toBe(asked + 1);
	});

	test("has to answer again once it closed, and its service is empty until then", async () => {
		await using edge = await openEdge({ services: gated(HEALTHZ) });
		const daemon = await edge.startDaemon();
		const green = await boot(edge, "green", 200);
		await joined(daemon, `web/${green.id}`);
		await green.answer(503);
		await green.stop();
		await green.listen();
		await untilTold(edge, green.id, "out", /^waits for GET \/healthz .*: status 503, /);
		await untilAdmin(edge, green.id, "maint");
		expect((await ask(edge.url)).body).not.toBe("not yet\n");
		await green.answer(200);
		await answersAre(edge, "green");
	});

	test("joins with the first connection that is taken, where that is all it has to do", async () => {
		await using edge = await openEdge({ services: gated({ tcp: true }) });
		const daemon = await edge.startDaemon();
		const green = await boot(edge, "green", 200);
		await joined(daemon, `web/${green.id}`);
		await daemon.waitFor(({ msg }) => /^ready after .*, \d+ probes?$/.test(msg));
		expect(green.asked).toEqual([]);
		await answersAre(edge, "green");
		await eventually("it noticed all connections", () => green.connections === green.asked.length + 1);
	});

	test("is in no proxy before its answer, also where that has a person's word on it", async () => {
		await using edge = await openEdge({ services: gated(HEALTHZ) });
		const daemon = await edge.startDaemon();
		const green = await boot(edge, "green");
		await untilTold(edge, green.id, "out", /status 503/);
		await operate(edge, "drain", `web/${green.id}`);
		await untilAdmin(edge, green.id, "drain");
		const from = daemon.lines.length;
		await green.answer(200);
		await daemon.waitFor(({ msg }) => msg.startsWith("ready after"), { from });
		expect((await serverAt(edge, green.id)).admin).toBe("drain");
		expect(others(green)).toEqual([]);
		await operate(edge, "release", `web/${green.id}`);
		await answersAre(edge, "green");
	});
});

describe.skipIf(skipPrivileged)("a backend that serves", () => {
	test("is asked by no new daemon, whatever it would answer by now", async () => {
		await using edge = await openEdge({ services: gated(HEALTHZ) });
		const first = await edge.startDaemon();
		const green = await boot(edge, "green", 200);
		await joined(first, `web/${green.id}`);
		await green.answer(503);
		await first.kill();
		const second = await edge.startDaemon();
		const blue = await boot(edge, "blue", 200);
		await joined(second, `web/${blue.id}`);
		expect(await toldOf(edge, green.id)).toMatchObject({ state: "ready", reason: "it listens" });
		expect((await serverAt(edge, green.id)).admin).toBe("ready");
		expect(probes(green)).toBe(1);
		expect(second.lines.filter(({ left }) => Array.isArray(left) && left.length > 0)).toEqual([]);
	});

	test("stays while its service gets a gate, and is not asked", async () => {
		const { ready: _, ...plain } = gated({}).web;
		await using edge = await openEdge({ services: { web: plain } });
		const daemon = await edge.startDaemon();
		const green = await boot(edge, "green");
		await joined(daemon, `web/${green.id}`);
		const from = daemon.lines.length;
		await edge.configure({ services: gated(HEALTHZ) });
		await daemon.waitFor("configuration taken", { from });
		const blue = await boot(edge, "blue");
		await untilTold(edge, blue.id, "out", /^waits for GET/);
		expect(await toldOf(edge, green.id)).toMatchObject({ state: "ready" });
		expect(probes(green)).toBe(0);
	});
});
