import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { askSocket } from "../../src/proxies/haproxy/runtime-api.js";
import { solistend, startDaemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { startHaproxy } from "../host/haproxy.js";
import { lifetime } from "../host/lifetime.js";
import { openSegment } from "../host/netns.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { rawSocket } from "../host/raw-socket.js";
import { tempFolder } from "../host/temp-folder.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

/** A user's HAProxy, with servers that it checks itself, and a configuration that only observes it. */
async function openOld(servers: (address: (name: string) => string) => Promise<string>) {
	const owned = lifetime();
	try {
		const { path: folder } = owned.own(await tempFolder());
		const segment = owned.own(await openSegment());
		const netns = new Map(
			await Promise.all(["blue", "green", "red"].map(async (name) => [name, await segment.addNetns(name)] as const)),
		);
		const netnsOf = (name: string) => {
			const found = netns.get(name);
			if (found === undefined) throw new Error(`no namespace ${name}`);
			return found;
		};
		const runtimeSocket = join(folder, "runtime.sock");
		const own = join(folder, "own.cfg");
		const text = `global
	stats socket ${runtimeSocket} mode 600 level admin
defaults
	mode http
	timeout connect 1s
	timeout client 5s
	timeout server 5s
frontend http
	bind 127.0.0.1:${await freePort()}
	default_backend old
backend old
	default-server check inter 100ms fall 2 rise 2
${await servers((name) => netnsOf(name).address)}`;
		await writeFile(own, text);
		const haproxy = await startHaproxy({ dir: folder, configFiles: [own] });
		owned.own({ close: haproxy.stop });
		const output = join(folder, "none", "haproxy.cfg");
		const config = join(folder, "solistend.yaml");
		await writeFile(
			config,
			stringify({
				services: { web: { match: { port: 80, netns: `slt-${process.pid}-*` } } },
				proxies: [{ name: "edge", type: "haproxy", mode: "observe", output, runtimeSocket }],
				admin: { socket: join(folder, "admin.sock") },
				state: folder,
			}),
		);
		return {
			owned,
			config,
			output,
			own,
			text,
			addressOf: (name: string) => netnsOf(name).address,
			serve: async (name: string) => owned.own(await startWebServer({ name, netns: netnsOf(name) })),
			tellHaproxy: (command: string) =>
				askSocket({
					socket: runtimeSocket,
					command,
					timeoutMs: 5000,
					signal: AbortSignal.timeout(5000),
					openEnd: true,
				}).then((answer) => {
					if (!answer.ok) throw new Error(answer.why);
					return answer.text;
				}),
			[Symbol.asyncDispose]: owned.close,
		};
	} catch (error) {
		await owned.close();
		throw error;
	}
}

describe.skipIf(skipPrivileged)("a HAProxy that is only observed", () => {
	test("has its own checks compared with the kernel, and is not changed", async () => {
		using other = rawSocket();
		other.bind(0);
		other.listen(9);
		await using old = await openOld(
			async (address) => `	server a ${address("blue")}:80
	server b ${address("green")}:80
	server legacy 127.0.0.1:${other.port()}
`,
		);
		const blue = await old.serve("blue");
		await old.serve("red");
		const { tellHaproxy } = old;
		const served = () => tellHaproxy("show servers state old");
		// found out later, it would be a change that the kernel did not tell
		await eventually("HAProxy has found out that blue listens, and that green does not", async () => {
			const text = await served();
			return /^\d+ old \d+ a \S+ 2 /m.test(text) && /^\d+ old \d+ b \S+ 0 /m.test(text);
		});
		const daemon = old.owned.own(startDaemon({ config: old.config }));
		expect((await daemon.waitFor("only in solistend"))["servers"]).toEqual([`web/${old.addressOf("red")}:80`]);
		const legacy = await daemon.waitFor(({ msg }) => msg.startsWith("only in HAProxy"));
		expect(legacy["servers"]).toEqual(["old/legacy"]);

		const compared = (server: string, change: string) =>
			daemon.waitFor((line) => line.msg === "compared" && line["server"] === server && line["change"] === change);
		await old.serve("green");
		const up = await compared("old/b", "up");
		expect(up).toMatchObject({ proxy: "edge", kernelAt: expect.any(String), checkedAfterMs: expect.any(Number) });
		expect(up["checkedAfterMs"]).toBeGreaterThan(0);
		await blue.stop();
		expect((await compared("old/a", "down"))["checkedAfterMs"]).toBeGreaterThan(0);
		await tellHaproxy("set server old/b state maint");
		expect(await compared("old/b", "down")).toMatchObject({
			note: "a person has it in maintenance in HAProxy; it still listens",
		});
		await daemon.waitFor("listens, and HAProxy has it down");

		const run = async (command: string, ...words: string[]) => {
			const [program, ...rest] = solistend(command, "--config", old.config, ...words);
			return (await execa(program, rest)).stdout;
		};
		expect(await run("doctor")).not.toContain(old.output);
		const [told] = JSON.parse(await run("status", "--json")).proxies;
		expect(told).toMatchObject({
			state: "observing",
			compared: {
				up: { count: 1, medianMs: up["checkedAfterMs"], maxMs: up["checkedAfterMs"] },
				down: { count: 1 },
				unnoticed: 0,
				byChecksAlone: 1,
				onlyInProxy: ["old/legacy"],
				onlyInSolistend: [`web/${old.addressOf("red")}:80`],
				downInProxy: ["old/b"],
				unchecked: [],
			},
		});
		const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
		for (const key of ["compared", ...Object.keys(told.compared), ...Object.keys(told.compared.up)]) {
			expect(page, `docs/commands.md explains ${key}`).toContain(`\`${key}\``);
		}
		expect(await run("status")).toMatch(/^edge: its own checks, compared with the kernel: 1 up seen \d/m);

		await daemon.stop();
		expect(daemon.lines.filter(({ msg }) => msg === "would apply")).toHaveLength(1);
		expect(daemon.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
		expect(existsSync(old.output)).toBe(false);
		expect(await readFile(old.own, "utf8")).toBe(old.text);
		const after = (await served()).split("\n").filter((line) => / old /.test(line));
		expect(after.map((line) => line.split(" ").slice(3, 7).join(" "))).toEqual([
			`a ${old.addressOf("blue")} 0 0`,
			`b ${old.addressOf("green")} 0 1`,
			"legacy 127.0.0.1 2 0",
		]);
	});
});
