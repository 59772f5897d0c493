/** A file that takes long, by a check that waits: what can be told the running HAProxy does not wait with it. */

import { type FileHandle, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BackendRef, backendId, type DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import { type Loop, openLoop } from "../../src/proxies/loop.js";
import { openDriver } from "../../src/proxies/open.js";
import { PACKAGED } from "../desired.js";
import { eventually } from "../host/eventually.js";
import { proxyConfig, rendered, service } from "../host/followed.js";
import { type Haproxy, startHaproxy } from "../host/haproxy.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";
import { startPortServer } from "../host/port-server.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill } from "../host/process.js";
import { HAPROXY } from "../host/programs.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let gate: string;
let proxy: ProxyConfig;
let url: string;
let haproxy: Haproxy;
let loop: Loop;
let desired: DesiredSet;

beforeEach(async () => {
	owned = lifetime();
	const { path } = owned.own(await tempFolder());
	gate = join(path, "gate");
	const port = await freePort();
	url = `http://127.0.0.1:${port}/`;
	const output = join(path, "haproxy.cfg");
	proxy = proxyConfig({
		type: "haproxy",
		output,
		template: "haproxy.cfg.hbs",
		// whoever opens a pipe to read waits for one who writes
		check: ["sh", "-c", `[ ! -p ${gate} ] || cat ${gate}; exec ${HAPROXY} -c -f "$1"`, "sh", "{{output}}"],
		runtimeSocket: join(path, "run.sock"),
		masterSocket: join(path, "master.sock"),
		options: { bind: `127.0.0.1:${port}` },
	});
	const ports = await Promise.all([1, 2, 3].map(async () => owned.own(await startPortServer()).port));
	all = ports.map(String);
	await writeFile(output, await rendered(proxy, web(1)));
	haproxy = await startHaproxy({ dir: path, configFiles: [output] });
	owned.own({ close: haproxy.stop });
});

afterEach(() => owned.close());

/** Ports of the applications. */
let all: readonly string[];
const those = (count: number) => all.slice(0, count);
const web = (count: number) => [service("web", those(count).map(Number))];

/** The file waits from the next check on, which has begun when it resolves; until what it resolves with is closed. */
async function checkWaits(act: () => Promise<void> | void): Promise<FileHandle> {
	await execa("mkfifo", [gate]);
	await act();
	const held = await open(gate, "w");
	owned.own({ close: () => held.close().catch(() => {}) });
	await rm(gate);
	return held;
}

async function follow(count: number): Promise<void> {
	desired = web(count);
	loop = owned.own(
		openLoop({
			proxy,
			driver: await openDriver(proxy, "h", PACKAGED),
			desired: () => desired,
			backend: ({ id }) => desired.flatMap(({ backends }) => backends).find((one) => one.id === id),
			settle: { quiet: 20, max: 200 },
			log: pino({ level: "silent" }),
		}),
	);
}

/** One more application is a backend from now on. */
function add(): void {
	const [{ backends = [] } = {}] = desired;
	const touched: BackendRef[] = [{ service: "web", id: backendId("127.0.0.1", Number(all[backends.length])) }];
	desired = web(backends.length + 1);
	loop.notify({ atMs: performance.now(), removal: false, touched });
}

const answeredBy = (count: number) =>
	eventually(`${count} answer`, async () => {
		const bodies = new Set<string>();
		for (let asked = 0; asked < 4 * count; asked++) bodies.add((await ask(url)).body);
		return [...bodies].sort().join() === [...those(count)].sort().join();
	});

const isApplied = () => eventually("it is applied", () => loop.status.state === "applied");

describe.skipIf(skipPrivileged)("while the file waits for its check", () => {
	test("a backend joins, also in the first round", async () => {
		const held = await checkWaits(() => follow(2));
		await answeredBy(2);

		add();

		await answeredBy(3);
		expect(loop.status.state).toBe("starting");
		await held.close();
		await isApplied();
	});

	test("a HAProxy that somebody reloads gets what its file lacks, and whoever joins", async () => {
		await follow(1);
		await isApplied();
		const held = await checkWaits(add);
		const before = haproxy.log().match(/New worker/g)?.length ?? 0;
		kill(haproxy.pid, "SIGUSR2");
		await eventually("there is another worker", () => (haproxy.log().match(/New worker/g)?.length ?? 0) > before);

		await answeredBy(2);
		add();

		await answeredBy(3);
		await held.close();
		await isApplied();
	});
});
