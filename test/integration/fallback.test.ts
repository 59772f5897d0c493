import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { type LiveServer, readLive } from "../../src/proxies/haproxy/live.js";
import { reloadByMaster } from "../../src/proxies/haproxy/master.js";
import { solistend } from "../host/daemon.js";
import { type Edge, joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

/** Checks take a server out soon, and never bring it back by themselves. */
const services = {
	web: {
		match: { port: 80, netns: `slt-${process.pid}-*` },
		lastGrace: "0s",
		options: { serverOptions: "inter 100ms fall 2 rise 1000" },
	},
};

const open = (changes: { beside?: string; proxy?: object } = {}) =>
	openEdge({ services, ...changes, proxy: { fallbackChecks: true, ...changes.proxy } });

/** A web server in a namespace of its own, before or after the daemon. */
async function serve({ segment, owned }: Edge, name: string) {
	const netns = await segment.addNetns(name);
	const start = async () => owned.own(await startWebServer({ name, netns }));
	return { server: await start(), start, id: `${netns.address}:80` };
}

async function serversOf({ folder }: Edge, backend = "web"): Promise<LiveServer[]> {
	const sockets = { runtimeSocket: join(folder, "runtime.sock"), masterSocket: undefined, timeout: 5000 };
	const live = await readLive(sockets, AbortSignal.timeout(5000));
	return live.state === "known" ? [...(live.servers.get(backend)?.values() ?? [])] : [];
}

const checksOf = async (edge: Edge) => new Set((await serversOf(edge)).map(({ checks }) => checks));
const serverOf = async (edge: Edge, id: string) => (await serversOf(edge)).find(({ address }) => address === id);

const untilChecks = (edge: Edge, state: LiveServer["checks"]) =>
	eventually(`all checks are ${state}`, async () => {
		const all = await checksOf(edge);
		return all.size === 1 && all.has(state);
	});

/** TCP segments that came into the namespace of a process, proc_pid_net(5). */
async function segmentsIn(pid: number): Promise<number> {
	const [names = [], values = []] = (await readFile(`/proc/${pid}/net/snmp`, "utf8"))
		.split("\n")
		.filter((line) => line.startsWith("Tcp:"))
		.map((line) => line.split(" "));
	return Number(values[names.indexOf("InSegs")]);
}

describe.skipIf(skipPrivileged)("HAProxy's own checks as a fallback", () => {
	test("are off while the daemon lives, also of one that joins and after a reload by anybody", async () => {
		const port = await freePort();
		const beside = `backend own\n\tserver control 127.0.0.1:${port} check inter 100ms fall 1 rise 10\n`;
		await using edge = await open({ beside });
		const blue = await serve(edge, "blue");
		const daemon = await edge.startDaemon();
		const green = await serve(edge, "green");
		await joined(daemon, `web/${green.id}`);
		await untilChecks(edge, "off");
		const running = async () => (await serversOf(edge, "own"))[0]?.running;
		await eventually("the control server, which does not listen, is down", async () => (await running()) === false);

		const servers = [blue, green].map(({ server }) => server.pid);
		const before = await Promise.all(servers.map(segmentsIn));
		const control = createServer();
		await new Promise<void>((resolve) => control.listen(port, "127.0.0.1", resolve));
		await eventually("ten checks have found the control server", running);
		expect(await Promise.all(servers.map(segmentsIn))).toEqual(before);
		await new Promise((resolve) => control.close(resolve));

		const signal = AbortSignal.timeout(10_000);
		await reloadByMaster({ socket: edge.haproxy.masterSocket, timeoutMs: 5000, signal });
		await untilChecks(edge, "off");
		expect(await serverOf(edge, green.id)).toMatchObject({ admin: "ready", running: true });

		await edge.configure({ services, proxy: { fallbackChecks: true }, settings: { resync: "30s" } });
		await daemon.waitFor("configuration taken");
		expect(await checksOf(edge)).toEqual(new Set(["off"]));
	});

	test("are on once it stopped, and what they did is undone when it is back", async () => {
		await using edge = await open();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		const green = await serve(edge, "green");
		await joined(daemon, `web/${blue.id}`);
		await joined(daemon, `web/${green.id}`);
		await untilChecks(edge, "off");
		await daemon.stop();
		expect(await checksOf(edge)).toEqual(new Set(["on"]));

		await green.server.stop();
		await eventually("a check has found it dead", async () => (await serverOf(edge, green.id))?.running === false);
		expect(await serverOf(edge, blue.id)).toMatchObject({ admin: "ready", running: true });
		// one that was down for a moment would be told, too
		expect(edge.haproxy.log().match(/Server web\/s\d+ is DOWN/g)).toHaveLength(1);
		await green.start();
		await edge.startDaemon();
		await eventually("it is up", async () => (await serverOf(edge, green.id))?.running);
		await untilChecks(edge, "off");
	});

	test("are switched on by a command when it died, and off by the next one", async () => {
		await using edge = await open({ proxy: { slots: { min: 1000 } } });
		const fallback = async () => {
			const [program, ...words] = solistend("fallback", "--config", edge.config);
			const { stdout, stderr, exitCode } = await execa(program, words, { reject: false });
			return { stdout, stderr, exitCode };
		};
		const daemon = await edge.startDaemon();
		const green = await serve(edge, "green");
		await joined(daemon, `web/${green.id}`);
		await untilChecks(edge, "off");
		await daemon.kill();
		expect(await fallback()).toEqual({
			stdout: "edge: HAProxy's own checks are on (1000 were off)",
			stderr: "",
			exitCode: 0,
		});
		expect(await checksOf(edge)).toEqual(new Set(["on"]));
		await green.server.stop();
		await eventually("a check has found it dead", async () => (await serverOf(edge, green.id))?.running === false);
		const next = await edge.startDaemon();
		await untilChecks(edge, "off");

		await next.stop();
		await edge.haproxy.stop();
		expect(await fallback()).toEqual({ stdout: "", stderr: "", exitCode: 0 });
		const socket = join(edge.folder, "runtime.sock");
		await rm(socket, { force: true });
		const mute = createServer((connection) => connection.resume()).listen(socket);
		const { exitCode, stderr } = await fallback();
		await new Promise((resolve) => mute.close(resolve));
		expect(stderr).toMatch(/^solistend: cannot switch on the checks of proxy edge: /);
		expect(exitCode).toBe(1);
	});
});
