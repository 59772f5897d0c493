import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { solistend, startDaemon } from "../host/daemon.js";
import { joined, left } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { type ConnectedNetns, enter, openSegment } from "../host/netns.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { tempFolder } from "../host/temp-folder.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

/**
 * Command words that run what follows as in a container: network, hostname, processes and mounts of its own. Of /tmp it
 * sees the one folder that it shares with the host, at the same path.
 */
const inContainer = (netns: ConnectedNetns, shared: string) => [
	...enter(netns),
	...["unshare", "--uts", "--ipc", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child=KILL", "--"],
	...["sh", "-euc"],
	`hostname edge
	mount --bind "$1" /mnt
	mount -t tmpfs tmpfs /tmp
	mkdir -p "$1"
	mount --move /mnt "$1"
	cd /
	shift
	exec "$@"`,
	...["container", shared],
];

/** Starts a HAProxy in a container; resolves when it serves. */
async function startContainer(owned: Lifetime, netns: ConnectedNetns, shared: string, haproxy: readonly string[]) {
	const log: string[] = [];
	const onLine = (line: string) => void log.push(line);
	const container = startProcess([...inContainer(netns, shared), ...haproxy], { onLine });
	// The one outside the container is deaf to SIGTERM, and takes those inside with it.
	const kill = () => container.close(0);
	owned.own({ close: kill });
	const ended = new AbortController();
	container.exited.then(() => ended.abort(new Error(`the container ended:\n${container.lastLines()}`)));
	const count = (words: string) => log.filter((line) => line.includes(words)).length;
	await eventually("HAProxy serves", () => count("Loading success.") > 0, { signal: ended.signal });
	return { kill, workers: () => count("New worker") };
}

describe.skipIf(skipPrivileged)("a HAProxy in a container", () => {
	test("follows, from where it is, and is right again when it was killed and started anew", async () => {
		await using owned = lifetime();
		const { path: folder } = owned.own(await tempFolder());
		const segment = owned.own(await openSegment());
		const netns = await segment.addNetns("edge");
		const shared = join(folder, "shared");
		const output = join(shared, "haproxy.cfg");
		const config = join(folder, "solistend.yaml");
		for (const name of ["shared", "state"]) await mkdir(join(folder, name));
		const hostPort = await freePort();
		const configure = (balance: string) =>
			writeFile(
				config,
				stringify({
					addresses: [segment.subnet],
					services: {
						web: { match: { port: [80, 8080], netns: `slt-${process.pid}-*` }, balance },
						own: { match: { port: hostPort, netns: "host" }, mode: "tcp", options: { bind: "0.0.0.0:81" } },
					},
					proxies: [
						{
							name: "edge",
							type: "haproxy",
							template: "haproxy.cfg.hbs",
							netns: netns.name,
							output,
							check: [...inContainer(netns, shared), "haproxy", "-c", "-f", "{{output}}"],
							masterSocket: join(shared, "master.sock"),
							runtimeSocket: join(shared, "runtime.sock"),
							reloadInterval: "100ms",
							options: { bind: "0.0.0.0:80" },
						},
					],
					state: join(folder, "state"),
					admin: { socket: join(folder, "admin.sock") },
				}),
			);
		await configure("roundrobin");
		const run = async (...words: string[]) => {
			const [program, ...rest] = solistend(...words, "--config", config);
			return execa(program, rest, { stripFinalNewline: false });
		};
		await writeFile(output, (await run("render")).stdout);
		const start = () =>
			startContainer(owned, netns, shared, ["haproxy", "-W", "-S", join(shared, "master.sock"), "-f", output]);
		const first = await start();
		const daemon = owned.own(startDaemon({ config }));
		await daemon.waitFor("ready", { timeoutMs: 20_000 });

		/** Whoever answers; its own port is asked through the bridge, as clients do. */
		const answersAre = (...names: string[]) =>
			eventually(`${names} answer`, async () => {
				const bodies = new Set<string>();
				for (let i = 0; i < 2 * names.length; i++) bodies.add((await ask(`http://${netns.address}/`)).body);
				return [...bodies].sort().join("") === names.map((name) => `hello from ${name}\n`).join("");
			});
		const serve = async (name: string, where?: ConnectedNetns, address?: string) => {
			const at = where ?? (await segment.addNetns(name));
			const port = address === undefined ? 80 : 8080;
			const server = owned.own(
				await startWebServer({ name, netns: at, port, ...(address !== undefined && { address }) }),
			);
			return { id: `web/${address ?? at.address}:${port}`, stop: server.stop };
		};

		// Each joins without a reload: one beside the proxy, at a loopback that is not the host's, and two elsewhere.
		const beside = await serve("beside", netns, "127.0.0.1");
		const blue = await serve("blue");
		const green = await serve("green");
		for (const { id } of [beside, blue, green]) expect((await joined(daemon, id))["reload"]).toBe(false);
		await answersAre("beside", "blue", "green");
		expect(first.workers()).toBe(1);

		// HAProxy's own listener, at a port of the service, is not taken for one of its backends.
		const { stdout } = await run("ls", "--json");
		const listeners: { netnsName?: string; port: number; verdict: object }[] = JSON.parse(stdout);
		expect(listeners.find(({ netnsName, port }) => netnsName === netns.name && port === 80)?.verdict).toEqual({
			state: "out",
			why: expect.stringContaining(`web: haproxy in netns ${netns.name} is a proxy itself`),
		});

		// A listener of the host is reached at the host's address on the bridge.
		owned.own(await startWebServer({ name: "host", port: hostPort }));
		expect((await joined(daemon, `own/${segment.gateway}:${hostPort}`))["reload"]).toBe(false);
		expect((await ask(`http://${netns.address}:81/`)).body).toBe("hello from host\n");

		await beside.stop();
		await left(daemon, beside.id);
		await answersAre("blue", "green");

		const changed = daemon.lines.length;
		await configure("leastconn");
		const reloaded = await daemon.waitFor("applied", { from: changed });
		expect(reloaded).toMatchObject({ reload: true, joined: [], left: [] });
		// Its log comes by another way than the daemon's.
		await eventually("one more worker is told of", () => first.workers() >= 2);
		expect(first.workers()).toBe(2);
		await answersAre("blue", "green");

		await first.kill();
		await blue.stop();
		const red = await serve("red");
		const second = await start();
		await answersAre("green", "red");
		await left(daemon, blue.id);
		await joined(daemon, red.id);
		const restarted = daemon.lines.length;
		const late = await serve("late");
		expect((await joined(daemon, late.id, restarted))["reload"]).toBe(false);
		await answersAre("green", "late", "red");
		expect(second.workers()).toBe(1);
		expect(await readFile(output, "utf8")).toContain("balance leastconn");
	});
});
