import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Daemon, startDaemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { requirePrivileges } from "../host/privileges.js";
import { replaceFile } from "../host/replace-file.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let folder: string;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder()));
	await writeFile(join(folder, "list.hbs"), "{{#each services}}{{name}}{{/each}}\n");
});

afterEach(() => owned.close());

const output = () => join(folder, "list");

/** A daemon's configuration with one proxy, in a file of this name. */
async function configure(name: string, proxy: object = {}): Promise<string> {
	const config = join(folder, `${name}.yaml`);
	const edge = { name: "edge", type: "file", template: join(folder, "list.hbs"), output: output(), ...proxy };
	const services = { [name]: { match: { netns: `slt-${process.pid}-none` } } };
	const text = stringify({ services, proxies: [edge], admin: { socket: join(folder, `${name}.sock`) } });
	await replaceFile(config, text);
	return config;
}

const start = (config: string): Daemon => owned.own(startDaemon({ config }));

const written = () => readFile(output(), "utf8");

/** Starts one that must not start; resolves with its last words. */
async function refused(config: string): Promise<string> {
	const daemon = start(config);
	expect(await daemon.exited).toEqual({ code: 1, signal: undefined });
	return daemon.lastLines();
}

test("a second daemon on one output does not start, and says who has it", async () => {
	const first = start(await configure("first"));
	await first.waitFor("ready");
	const second = await configure("second");
	expect(await refused(second)).toContain(
		`cannot use output ${output()}: another solistend (pid ${first.pid}) writes it (stop that one, or give this proxy an output of its own)`,
	);
	expect(await written()).toBe("first\n");

	await first.stop();
	expect((await readdir(folder)).filter((name) => name.endsWith(".lock"))).toEqual([]);
	await start(second).waitFor("ready");
	expect(await written()).toBe("second\n");
});

test("a daemon that was killed is in nobody's way", async () => {
	const first = start(await configure("first"));
	await first.waitFor("ready");
	await first.kill();
	await start(await configure("second")).waitFor("ready");
	expect(await written()).toBe("second\n");
});

test("one that only observes is in nobody's way, and nobody in its", async () => {
	await start(await configure("first", { mode: "observe" })).waitFor("ready");
	await start(await configure("second")).waitFor("ready");
	await start(await configure("third", { mode: "observe" })).waitFor("ready");
	expect(await written()).toBe("second\n");
});

test("a configuration with the output of another daemon is not taken, until that one is gone", async () => {
	const first = start(await configure("first"));
	await first.waitFor("ready");
	const own = join(folder, "own");
	const second = start(await configure("second", { output: own }));
	await second.waitFor("ready");
	await configure("second");
	const line = await second.waitFor("configuration not taken, the running one stays");
	expect(line["problems"]).toEqual([expect.stringContaining(`another solistend (pid ${first.pid}) writes it`)]);
	expect(await written()).toBe("first\n");

	// Its own is still locked, and still written.
	expect(await refused(await configure("third", { output: own }))).toContain(`(pid ${second.pid})`);

	await first.stop();
	const from = second.lines.length;
	process.kill(second.pid, "SIGHUP");
	await second.waitFor("configuration taken", { from });
	await eventually("the output is written", async () => (await written()) === "second\n");
	await start(await configure("third", { output: own })).waitFor("ready");
});

test("a changed proxy keeps its output", async () => {
	const first = start(await configure("first"));
	await first.waitFor("ready");
	await configure("first", { options: { any: 1 } });
	await first.waitFor("configuration taken");
	expect(await refused(await configure("second"))).toContain(`(pid ${first.pid})`);
});
