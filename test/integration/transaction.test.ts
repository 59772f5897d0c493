import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import { eventually } from "../host/eventually.js";
import { type Followed, follow, proxyConfig, rendered, service } from "../host/followed.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { type Nginx, pidFileIn, startNginx, wholeFile } from "../host/nginx.js";
import { freePort } from "../host/port.js";
import { startPortServer } from "../host/port-server.js";
import { requirePrivileges } from "../host/privileges.js";
import { NGINX } from "../host/programs.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let folder: string;
let out: string;
let url: string;
let port: number;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder("solistend-transaction")));
	out = join(folder, "out");
	await mkdir(out);
	port = await freePort();
	url = `http://127.0.0.1:${port}/`;
});

afterEach(() => owned.close());

const nginx = (settings: Record<string, unknown> = {}): ProxyConfig =>
	proxyConfig({ ...wholeFile(folder, join(out, "nginx.conf"), port), ...settings });

async function start(proxy: ProxyConfig, desired: DesiredSet): Promise<Nginx> {
	await writeFile(proxy.output, await rendered(proxy, desired));
	return owned.own(await startNginx(folder, proxy.output));
}

async function open(proxy: ProxyConfig, desired: DesiredSet): Promise<Followed> {
	return owned.own(await follow(proxy, desired));
}

const web = (...ports: number[]): DesiredSet => [service("web", ports)];

async function startServer(): Promise<number> {
	return owned.own(await startPortServer()).port;
}

const answer = async () => (await ask(url)).body;

const there = (path: string) => eventually(`${path} is there`, () => stat(path), { timeoutMs: 20_000 });

describe("a daemon that is stopped between swap and verification", () => {
	test("finishes the reload that has begun", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const begun = join(folder, "begun");
		const go = join(folder, "go");
		const script = `touch ${begun}; while ! [ -e ${go} ]; do sleep 0.02; done; kill -HUP $(cat ${pidFileIn(folder)})`;
		const proxy = nginx({ reload: ["sh", "-c", script] });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		const changing = followed.change(web(two));
		await there(begun);
		const closed = followed.close();
		await writeFile(go, "");
		await Promise.all([closed, changing]);
		expect(await answer()).toBe(String(two));
		expect(await readdir(out)).toEqual(["nginx.conf"]);
	});

	test("leaves a reload that hangs marked as such, and the next one does it", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const begun = join(folder, "begun");
		const proxy = nginx({ reload: ["sh", "-c", `touch ${begun}; sleep 60`] });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		followed.change(web(two)).catch(() => {});
		await there(begun);
		await followed.close();
		expect((await readdir(out)).sort()).toEqual([".nginx.conf.previous", "nginx.conf"]);
		expect(await answer()).toBe(String(one));

		const next = await open(nginx(), web(two));
		expect(next.lines).toMatchObject([{ msg: "applied", reload: true }]);
		expect(await answer()).toBe(String(two));
		expect(await readdir(out)).toEqual(["nginx.conf"]);
	});
});

describe("an obstacle keeps the live file, is tried again, and is forgotten when it is gone:", () => {
	test("a full disk", async () => {
		const [one, two] = [await startServer(), await startServer()];
		await execa("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", out]);
		owned.own({
			async close() {
				await execa("umount", ["--lazy", out]);
			},
		});
		const proxy = nginx();
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		// Filled up, whatever is left.
		await writeFile(join(out, "ballast"), Buffer.alloc(1 << 20)).catch(() => {});
		const line = await followed.change(web(two), "not applied");
		expect(line["reason"]).toBe(`cannot write ${proxy.output}: no space is left in ${out} (make some)`);
		expect(line["serving"]).toBe("the previous configuration, which was not touched");
		expect((await readdir(out)).sort()).toEqual(["ballast", "nginx.conf"]);
		expect(await answer()).toBe(String(one));

		await rm(join(out, "ballast"));
		await followed.untilState("applied");
		expect(await answer()).toBe(String(two));
	});

	test("a check program that is missing", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const program = join(folder, "nginx-check");
		const proxy = nginx({ check: [program, "{{output}}"] });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		const line = await followed.change(web(two), "not applied");
		expect(line["reason"]).toContain(`${program} is not installed (install it, or give its full path)`);
		expect(await answer()).toBe(String(one));

		await writeFile(program, `#!/bin/sh\nexec ${NGINX} -t -c "$1"\n`);
		await chmod(program, 0o755);
		await followed.untilState("applied");
		expect(await answer()).toBe(String(two));
	});

	test("a check program that is missing, of a check on the live paths", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const proxy = nginx({ check: [join(folder, "nginx-check")] });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		const line = await followed.change(web(two), "not applied");
		expect(line["reason"]).toContain(
			`cannot run the check command "${folder}/nginx-check": ${folder}/nginx-check is not installed`,
		);
	});

	test("an output folder that is gone", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const proxy = nginx();
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		await rename(out, `${out}.gone`);
		const line = await followed.change(web(two), "not applied");
		expect(line["reason"]).toContain(`the folder ${out} does not exist (create it, or change output)`);
		expect(await answer()).toBe(String(one));

		await rename(`${out}.gone`, out);
		await followed.untilState("applied");
		expect(await answer()).toBe(String(two));
	});
});

describe("a check that names no {{output}}", () => {
	const seen = () => readFile(join(folder, "seen"), "utf8");

	/** Writes down what it finds in the output's place, and passes. */
	const looking = (output: string) => ["sh", "-c", `cat ${output} > ${join(folder, "seen")}`];

	test("finds the candidate in the output's place, where nobody else does, also through a link", async () => {
		const real = join(out, "nginx.conf");
		await writeFile(join(folder, "real.conf"), "old");
		await execa("ln", ["-s", join(folder, "real.conf"), real]);
		const held = join(folder, "held");
		const check = [...looking(real).slice(0, 2), `${looking(real)[2]}; until [ -e ${held} ]; do sleep 0.02; done`];
		const proxy = proxyConfig({ type: "file", template: "nginx.conf.hbs", output: real, check });
		const opening = follow(proxy, web(1234));
		await eventually("the check has looked", async () => (await seen()).includes("1234"));
		expect(await readFile(real, "utf8")).toBe("old");
		await writeFile(held, "");
		owned.own(await opening);
		expect(await readFile(join(folder, "real.conf"), "utf8")).toBe(await seen());
	});

	test("needs the right to mount, and says what to do without", async () => {
		const output = join(out, "nginx.conf");
		const module = fileURLToPath(new URL("../../build/proxies/check.js", import.meta.url));
		const script = `
			import { checker } from ${JSON.stringify(module)};
			const check = checker({ output: ${JSON.stringify(output)}, check: ["true"], timeout: 5000 });
			await check(${JSON.stringify(`${output}.candidate`)}, new AbortController().signal).catch(({ message }) => console.log(message));
		`;
		const node = [process.execPath, "--input-type=module", "-e", script];
		const { stdout } = await execa("setpriv", ["--bounding-set=-sys_admin", "--", ...node]);
		expect(stdout).toBe(
			`cannot run the check command "true" with the new file in the place of ${output}: that takes CAP_SYS_ADMIN (write {{output}} into the check, or run solistend as root)`,
		);
		expect(await readdir(out)).toEqual([]);
	});
});
