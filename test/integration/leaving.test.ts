import { describe, expect, test } from "vitest";
import { firstChild, startApplication } from "../host/application.js";
import { startClient } from "../host/client.js";
import type { Daemon } from "../host/daemon.js";
import { joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { answersAre, serve, serverAt, untilAdmin, untilTold } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill } from "../host/process.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

const match = { port: 80, netns: `slt-${process.pid}-*` };

/** The backends that the daemon told to be in drain, in the order in which it did. */
const drained = ({ lines }: Daemon) => lines.filter(({ state }) => state === "drain").map(({ backend }) => backend);

const untilDrained = (daemon: Daemon, id: string) =>
	daemon.waitFor(({ backend, state }) => backend === id && state === "drain");

describe.skipIf(skipPrivileged)("a backend that is told to stop", () => {
	test("gets nothing new while it listens, answers what it has, and is out when it closes", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const both = [await serve(edge, daemon, "blue"), await serve(edge, daemon, "green")];
		const long = ask(`${edge.url}long`, { timeoutMs: 20_000 });
		const stopping = await Promise.race(both.map((one) => one.asked().then(() => one)));
		const staying = both.find((one) => one !== stopping);
		await stopping.signal("SIGTERM");
		await untilAdmin(edge, stopping.id, "drain");
		await untilTold(edge, stopping.id, "drain", /^told to stop by SIGTERM$/);
		await answersAre(edge, staying?.name ?? "");
		await stopping.tell("answer");
		expect(await long).toEqual({ status: 200, body: `hello from ${stopping.name}\n` });
		expect((await serverAt(edge, stopping.id)).admin).toBe("drain");
		await stopping.tell("close");
		await untilAdmin(edge, stopping.id, "maint");
		await answersAre(edge, staying?.name ?? "");
	});

	test("and still listens after drainTimeout is ready again", async () => {
		await using edge = await openEdge({ services: { web: { match, drainTimeout: "2s" } } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await serve(edge, daemon, "green");
		await blue.signal("SIGTERM");
		await untilAdmin(edge, blue.id, "drain");
		await untilAdmin(edge, blue.id, "ready");
		await untilTold(edge, blue.id, "ready", /^told to stop by SIGTERM, and still listens 2 s later$/);
		await answersAre(edge, "blue", "green");
	});

	test("by the first process of its container drains", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue", { inContainer: true });
		await serve(edge, daemon, "green");
		await blue.signal("SIGTERM");
		await untilAdmin(edge, blue.id, "drain");
		await answersAre(edge, "green");
	});

	test("as an nginx in a container drains for as long as its workers take", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		await serve(edge, daemon, "green");
		const netns = await edge.segment.addNetns("blue");
		const blue = edge.owned.own(await startWebServer({ name: "blue", netns }));
		await joined(daemon, `web/${netns.address}:80`);
		// The master gives it a second before it kills it.
		kill(await eventually("nginx has a worker", () => firstChild(blue.pid)), "SIGSTOP");
		await blue.stop("SIGTERM");
		await untilDrained(daemon, `${netns.address}:80`);
		await left(daemon, `web/${netns.address}:80`);
		await answersAre(edge, "green");
	});

	test("by a signal that does not count, or through a worker alone, never drains", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const netns = await edge.segment.addNetns("prefork");
		const prefork = edge.owned.own(await startWebServer({ name: "prefork", netns }));
		await joined(daemon, `web/${netns.address}:80`);
		const blue = await serve(edge, daemon, "blue");
		const green = await serve(edge, daemon, "green");
		const worker = await eventually("nginx has a worker", () => firstChild(prefork.pid));
		kill(worker, "SIGTERM");
		await eventually("nginx has another worker", () => firstChild(prefork.pid) !== worker);
		await blue.signal("SIGQUIT");
		// What the kernel told before is dealt with once this one is.
		await green.signal("SIGTERM");
		await untilAdmin(edge, green.id, "drain");
		await expect.poll(() => drained(daemon)).toEqual([green.id]);
		await answersAre(edge, "blue", "prefork");
	});

	test("goes by the signals of its service, also when they change", async () => {
		await using edge = await openEdge({ services: { web: { match, stopSignals: ["SIGQUIT"] } } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const green = await serve(edge, daemon, "green");
		await green.signal("SIGTERM");
		await blue.signal("SIGQUIT");
		await untilAdmin(edge, blue.id, "drain");
		await expect.poll(() => drained(daemon)).toEqual([blue.id]);
		await edge.configure({ services: { web: { match, stopSignals: [] } } });
		await untilAdmin(edge, blue.id, "ready");
		await green.signal("SIGTERM");
		await blue.signal("SIGQUIT");
		await serve(edge, daemon, "red");
		await expect.poll(() => drained(daemon)).toEqual([blue.id]);
		await answersAre(edge, "blue", "green", "red");
	});
});

describe.skipIf(skipPrivileged)("the last backend that is ready", () => {
	test("is not drained, whoever tells it to stop", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const green = await serve(edge, daemon, "green");
		await blue.signal("SIGTERM");
		await untilAdmin(edge, blue.id, "drain");
		await green.signal("SIGTERM");
		const stays = /^told to stop by SIGTERM, and stays: too many would be out$/;
		await untilTold(edge, green.id, "ready", stays);
		await blue.tell("close");
		await untilAdmin(edge, blue.id, "maint");
		await untilTold(edge, green.id, "ready", stays);
		await expect.poll(() => drained(daemon)).toEqual([blue.id]);
		await answersAre(edge, "green");
	});

	test("stays after it closed, so that a restart costs no request", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const client = edge.owned.own(startClient(edge.url));
		for (const round of [1, 2]) {
			await eventually("some requests", () => client.asked > round * 20);
			await blue.signal("SIGTERM");
			const from = daemon.lines.length;
			await blue.tell("finish");
			await daemon.waitFor("closed", { from });
			await untilTold(edge, blue.id, "closing", /^closed as the last one, stays for /);
			expect((await serverAt(edge, blue.id)).admin).toBe("ready");
			await blue.tell("listen");
			await untilTold(edge, blue.id, "ready", /^it listens$/);
		}
		await eventually("some more requests", () => client.asked > 60);
		await client.close();
		expect(client.failed).toBe(0);
		await expect.poll(() => drained(daemon)).toEqual([]);
	});
});

describe.skipIf(skipPrivileged)("a container that is removed and made anew with the same address", () => {
	test("is out at once, and in again when it listens", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		await serve(edge, daemon, "green");
		for (const round of [1, 2, 3]) {
			const from = daemon.lines.length;
			const netns = await edge.segment.addNetns(`blue${round}`, `${edge.segment.subnet.replace("0/24", "77")}`);
			const blue = await startApplication({ name: `blue${round}`, netns });
			await joined(daemon, `web/${netns.address}:80`, from);
			await answersAre(edge, `blue${round}`, "green");
			await netns.close();
			await left(daemon, `web/${netns.address}:80`, from);
			await answersAre(edge, "green");
			await blue.close();
		}
	});
});
