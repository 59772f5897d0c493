/** Two daemons on one host: both work, or the second says why not. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Application, startApplication } from "../host/application.js";
import { type Daemon, solistend, startDaemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { addNetns } from "../host/netns.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let folder: string;
let application: Application;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder()));
	await writeFile(
		join(folder, "list.hbs"),
		"{{#each services}}{{#each backends}}{{address}} {{state}}{{/each}}{{/each}}\n",
	);
	const netns = owned.own(await addNetns("blue"));
	await ip(["addr add 198.18.9.1/32 dev lo"], netns.name);
	application = owned.own(await startApplication({ name: "blue", netns, port: 80 }));
});
afterEach(() => owned.close());

const output = (name: string) => join(folder, `${name}.list`);

/** A configuration with one proxy, which writes the addresses of all backends into a file of this name. */
async function configure(name: string, { socket = name, state = name } = {}): Promise<string> {
	await mkdir(join(folder, state), { recursive: true });
	const config = join(folder, `${name}.yaml`);
	await writeFile(
		config,
		stringify({
			services: { web: { match: { port: 80, netns: `slt-${process.pid}-*` }, lastGrace: "0s" } },
			proxies: [{ name: "edge", type: "file", template: join(folder, "list.hbs"), output: output(name) }],
			addresses: ["198.18.9.0/24"],
			admin: { socket: join(folder, `${socket}.sock`) },
			state: join(folder, state),
		}),
	);
	return config;
}

const start = (config: string): Daemon => owned.own(startDaemon({ config }));
const ready = (daemon: Daemon) => daemon.waitFor("ready", { timeoutMs: 20_000 });

const says = (name: string, text: string) =>
	eventually(`${name} says "${text}"`, async () => (await readFile(output(name), "utf8")).trim() === text, {
		timeoutMs: 30_000,
	});

async function pidAt(socket: string): Promise<unknown> {
	const [program, ...words] = solistend("status", "--json", "--socket", join(folder, `${socket}.sock`));
	return JSON.parse((await execa(program, words)).stdout).pid;
}

describe.skipIf(skipPrivileged)("a second daemon", () => {
	test("of the same configuration says who is there, and disturbs nobody", async () => {
		const config = await configure("one");
		const first = start(config);
		await ready(first);
		const second = start(config);
		expect(await second.exited).toEqual({ code: 1, signal: undefined });
		expect(second.lastLines()).toContain(`another solistend (pid ${first.pid}) writes it`);
		expect(await pidAt("one")).toBe(first.pid);
		await application.tell("close");
		await says("one", "");
		await application.tell("listen");
		await says("one", "198.18.9.1 ready");
		await first.stop();
	});

	test("with outputs of its own works, and so does the first, whoever ends", async () => {
		const [first, second] = [start(await configure("one")), start(await configure("two"))];
		await Promise.all([ready(first), ready(second)]);
		for (const name of ["one", "two"]) await says(name, "198.18.9.1 ready");
		await application.tell("close");
		for (const name of ["one", "two"]) await says(name, "");
		await first.stop();
		await application.tell("listen");
		await says("two", "198.18.9.1 ready");
		await says("one", "");
		expect(await pidAt("two")).toBe(second.pid);
		await second.stop();
	});

	test("with the control socket of the first works without one, and says so", async () => {
		const first = start(await configure("one"));
		await ready(first);
		const second = start(await configure("two", { socket: "one" }));
		const { reason } = await second.waitFor((line) => line.msg.startsWith("no control socket"));
		expect(reason).toContain("in use, by another daemon or as a file (give each daemon its own admin.socket)");
		await ready(second);
		await application.tell("close");
		for (const name of ["one", "two"]) await says(name, "");
		expect(await pidAt("one")).toBe(first.pid);
		await second.stop();
		expect(await pidAt("one")).toBe(first.pid);
	});

	test("with the state folder of the first keeps nothing, says so, and takes nothing of what is there for its own", async () => {
		const first = start(await configure("one"));
		await ready(first);
		const [program, ...hold] = solistend("hold", "web/198.18.9.1:80", "--socket", join(folder, "one.sock"));
		await execa(program, hold);
		await says("one", "198.18.9.1 down");
		const second = start(await configure("two", { state: "one" }));
		const { reason } = await second.waitFor("what is held by hand, and services by label, last until the daemon ends");
		expect(reason).toBe(
			`${join(folder, "one")} is in use by another solistend (pid ${first.pid}) (name another folder as state)`,
		);
		await ready(second);
		await says("two", "198.18.9.1 ready");
		const [, ...drain] = solistend("drain", "web", "--socket", join(folder, "two.sock"));
		expect((await execa(program, drain)).stderr).toContain("not kept over a restart");
		await second.stop();
		await first.stop();
		await ready(start(await configure("one")));
		await says("one", "198.18.9.1 down");
	});
});
