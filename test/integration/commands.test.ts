import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { addContainerCgroup } from "../host/cgroup.js";
import { solistend } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { startHaproxy } from "../host/haproxy.js";
import { lifetime } from "../host/lifetime.js";
import { addNetns } from "../host/netns.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { HAPROXY } from "../host/programs.js";
import { rawSocket } from "../host/raw-socket.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

/** Runs a command of solistend to its end. */
async function run(words: readonly string[], { before = [] as readonly string[] } = {}) {
	const [program = "", ...rest] = [...before, ...solistend(...words)];
	return execa(program, rest, { reject: false, timeout: 20_000, env: { NO_COLOR: "1" } });
}

/** Words that run a command in a mount namespace of its own, after `script` changed what is mounted there. */
const withMounts = (script: string) => [
	"unshare",
	"--mount",
	"--propagation",
	"private",
	"sh",
	"-c",
	`${script} && exec "$@"`,
	"sh",
];

describe.skipIf(skipPrivileged)("what is missing is said, with its mend", () => {
	test("a user without capabilities", async () => {
		const { exitCode, stderr } = await run(["ls"], {
			before: ["setpriv", "--inh-caps=-all", "--bounding-set=-all"],
		});
		expect(stderr).toContain("missing CAP_BPF and CAP_PERFMON");
		expect(stderr).toContain("run as root");
		expect(stderr).not.toContain("    at ");
		expect(exitCode).toBe(3);
	});

	test("but nothing is missing with just CAP_BPF and CAP_PERFMON", async () => {
		const { exitCode, stderr, stdout } = await run(["ls", "--json"], {
			before: ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+bpf,+perfmon"],
		});
		expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
		expect(Array.isArray(JSON.parse(stdout))).toBe(true);
	});

	test("a kernel without type information", async () => {
		const { exitCode, stderr } = await run(["ls"], { before: withMounts("mount -t tmpfs none /sys/kernel/btf") });
		expect(stderr).toContain("/sys/kernel/btf/vmlinux");
		expect(stderr).toContain("CONFIG_DEBUG_INFO_BTF");
		expect(exitCode).toBe(1);
	});

	test("no libbpf", async () => {
		const { stdout } = await execa("ldconfig", ["-p"]);
		const library = /libbpf\.so\.1 .*=> (\S+)/.exec(stdout)?.[1] ?? "";
		const { exitCode, stderr } = await run(["ls"], {
			before: withMounts(`mount --bind /dev/null "$(readlink -f ${library})"`),
		});
		expect(stderr).toContain("libbpf.so.1 (install it: apt-get install libbpf1)");
		expect(exitCode).toBe(1);
	});

	test("no BPF object", async () => {
		const folder = join(PACKAGED_OBJECT, "..");
		const { exitCode, stderr } = await run(["ls"], { before: withMounts(`mount -t tmpfs none ${folder}`) });
		expect(stderr).toContain(PACKAGED_OBJECT);
		expect(stderr).toContain("npm run build:bpf");
		expect(exitCode).toBe(1);
	});

	test("a BPF object that is none", async () => {
		const { exitCode, stderr } = await run(["ls"], {
			before: withMounts(`mount --bind /etc/hostname ${PACKAGED_OBJECT}`),
		});
		expect(stderr).toContain(PACKAGED_OBJECT);
		expect(stderr).not.toContain("    at ");
		expect(exitCode).toBe(1);
	});
});

describe.skipIf(skipPrivileged)("watch", () => {
	test("prints a JSON object a line, with the documented keys", async () => {
		await using netns = await addNetns("watch");
		const lines: string[] = [];
		await using _watch = startProcess(solistend("watch", "--json", "--netns", netns.name), {
			onLine: (line) => lines.push(line),
		});
		await eventually("watch has attached", async () => {
			const { stdout } = await execa("nsenter", [
				`--net=/run/netns/${netns.name}`,
				process.execPath,
				"-e",
				'require("node:net").createServer().listen({ host: "0.0.0.0", port: 8099, backlog: 17 }, function () { this.close(); console.log(1) })',
			]);
			// It may have attached between the two: then the first line is of a close.
			return stdout === "1" && lines.length >= 3;
		});
		const events = lines.map((line) => JSON.parse(line));
		const listen = events.find(({ event }) => event === "listen");
		const close = events.find(({ event, socket }) => event === "close" && socket === listen.socket);
		expect(listen).toMatchObject({
			event: "listen",
			address: "0.0.0.0",
			port: 8099,
			backlog: 17,
			family: "ipv4",
			protocol: "tcp",
		});
		expect(close).toMatchObject({ event: "close", port: 8099, socket: listen.socket });
		expect(listen.netnsName).toBe(netns.name);
		expect(typeof listen.netnsCookie).toBe("string");
		expect(Math.abs(Date.parse(listen.time) - Date.now())).toBeLessThan(60_000);
		const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
		for (const key of Object.keys(listen)) expect(page, `docs/commands.md explains ${key}`).toContain(`\`${key}\``);
	});

	test("tells a stop signal by its process, so a filter by port or namespace leaves it out", async () => {
		// closes and listens again at each SIGTERM
		const script = `
			const server = require("node:net").createServer().listen(0, "127.0.0.1", () => {
				const { port } = server.address();
				process.on("SIGTERM", () => server.listening && server.close(() => server.listen(port, "127.0.0.1")));
				console.log(port);
			});`;
		const ports: string[] = [];
		const server = startProcess([process.execPath, "-e", script], { onLine: (line) => ports.push(line) });
		const start = (...options: string[]) => {
			const lines: string[] = [];
			const watch = startProcess(solistend("watch", "--pid", String(server.pid), ...options), {
				onLine: (line) => lines.push(line),
			});
			return { lines, watch };
		};
		const port = await eventually("the server listens", () => ports[0]);
		const json = start("--json", "--comm", "*");
		const table = start();
		const filtered = [start("--json", "--port", port), start("--json", "--netns", "host")];
		try {
			const isTold = ({ lines }: typeof json) => lines.some((line) => line.includes("stopping"));
			const hasTurns = ({ lines }: typeof json) => lines.length >= 4;
			await eventually(
				"every watch has seen the signal, or what followed it twice",
				() => {
					server.signal("SIGTERM");
					return isTold(json) && isTold(table) && filtered.every(hasTurns);
				},
				// four of them load their programs at once
				{ timeoutMs: 30_000 },
			);
			const stop: Record<string, unknown> = JSON.parse(json.lines.find((line) => line.includes("stopping")) ?? "");
			expect(stop).toEqual({
				time: expect.stringMatching(/^\d{4}-.*Z$/),
				event: "stopping",
				pid: server.pid,
				comm: expect.any(String),
				signal: "SIGTERM",
			});
			const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
			for (const word of [...Object.keys(stop), "stopping"]) {
				expect(page, `docs/commands.md explains ${word}`).toContain(`\`${word}\``);
			}
			expect(table.lines.find((line) => line.includes("stopping"))).toMatch(
				new RegExp(`^[\\d:.]+  stopping +${server.pid}  \\S+ +SIGTERM$`),
			);
			for (const { lines } of filtered) {
				expect(new Set(lines.map((line) => JSON.parse(line).event))).toEqual(new Set(["listen", "close"]));
			}
		} finally {
			server.signal("SIGKILL");
			await Promise.all([json, table, ...filtered].map(({ watch }) => watch.close()));
			await server.close();
		}
	});

	test("tells a pause by its process, or by its cgroup", async () => {
		await using cgroup = await addContainerCgroup(`${process.pid}watch`);
		const script = 'require("node:net").createServer().listen(0, "127.0.0.1", () => console.log("listens"))';
		const said: string[] = [];
		await using server = startProcess([...cgroup.enter, process.execPath, "-e", script], {
			onLine: (line) => said.push(line),
		});
		await eventually("the server listens", () => said[0]);
		const lines: string[] = [];
		await using _json = startProcess(solistend("watch", "--json"), {
			onLine: (line, stream) => stream === "stdout" && lines.push(line),
		});
		const rows: string[] = [];
		await using _table = startProcess(solistend("watch", "--pid", String(server.pid)), {
			onLine: (line, stream) => stream === "stdout" && rows.push(line),
		});
		/** What the freezer does names no process; another test may stop and continue one of its own. */
		const told = (by: string): Record<string, unknown>[] =>
			lines
				.map((line) => JSON.parse(line))
				.filter((line) => line.by === by && [server.pid, undefined].includes(line.pid));
		const both = ["paused", "resumed"];
		await eventually("both have seen it stop, go on, freeze and thaw", async () => {
			server.signal("SIGSTOP");
			server.signal("SIGCONT");
			await cgroup.freeze();
			await cgroup.thaw();
			const isAll = (by: string) => both.every((event) => told(by).some((one) => one["event"] === event));
			// It may have attached between the two: then the first row is of its going on.
			return isAll("signal") && isAll("freezer") && both.every((event) => rows.some((row) => row.includes(event)));
		});
		expect(told("signal").find(({ pid }) => pid === server.pid)).toEqual({
			time: expect.stringMatching(/^\d{4}-.*Z$/),
			event: expect.stringMatching(/^(paused|resumed)$/),
			by: "signal",
			pid: server.pid,
		});
		const [frozen] = told("freezer");
		expect(frozen?.["cgroupId"]).toMatch(/^\d+$/);
		expect(rows.find((row) => row.includes("paused"))).toMatch(
			new RegExp(`^[\\d:.]+  paused +${server.pid} +by a signal$`),
		);
		// a cgroup is no process
		expect(rows.some((row) => row.includes("cgroup"))).toBe(false);
		const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
		for (const word of [...Object.keys(frozen ?? {}), "paused", "resumed", "relisten", "freezer"]) {
			expect(page, `docs/commands.md explains ${word}`).toContain(`\`${word}\``);
		}
	});

	test("prints a table, filtered by port, and ends with code 0 at SIGTERM", async () => {
		const lines: string[] = [];
		const server = createServer();
		const port = await new Promise<number>((resolve) => {
			const probe = createServer().listen(0, "127.0.0.1", () => {
				const address = probe.address();
				probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
			});
		});
		const watch = startProcess(solistend("watch", "--port", String(port), "--no-close"), {
			onLine: (line) => lines.push(line),
		});
		try {
			await eventually("a row", async () => {
				await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => server.close(() => resolve())));
				return lines.length >= 2;
			});
			expect(lines[0]).toMatch(/^TIME +EVENT +PID +COMM +NETNS +PROTO +BACKLOG +ADDRESS +PORT +CONTAINER\/HOSTNAME$/);
			for (const line of lines.slice(1))
				expect(line).toMatch(new RegExp(`listen .* host +tcp +\\d+ +127\\.0\\.0\\.1 +${port} `));
			watch.signal("SIGTERM");
			expect(await watch.exited).toEqual({ code: 0, signal: undefined });
		} finally {
			await watch.close();
		}
	});
});

describe.skipIf(skipPrivileged)("doctor", () => {
	const HOOK = "hook tp_btf/signal_generate";
	const finding = (stdout: string): unknown => JSON.parse(stdout).find(({ name }: { name: string }) => name === HOOK);

	test("says that stop signals are told", async () => {
		const { stdout } = await run(["doctor", "--json"]);
		expect(finding(stdout)).toEqual({ name: HOOK, state: "ok", detail: "stop signals, SIGSTOP and SIGCONT" });
	});

	test("says what is lost where the kernel refuses the hook, and why", async () => {
		await using folder = await tempFolder();
		const object = join(folder.path, "object.o");
		const text = await readFile(PACKAGED_OBJECT, "latin1");
		await writeFile(object, text.replaceAll("tp_btf/signal_generate", "tp_btf/signal_generatX"), "latin1");
		const { stdout } = await run(["doctor", "--json"], {
			before: withMounts(`mount --bind ${object} ${PACKAGED_OBJECT}`),
		});
		expect(finding(stdout)).toMatchObject({
			state: "degraded",
			detail: expect.stringMatching(
				/signal_generatX.*\(a backend that is told to stop is not drained before it closes, .+\)$/,
			),
		});
		expect(stdout).toContain("attached: open and close");
	});

	test("says that HAProxy takes no commands where the socket's level is not admin", async () => {
		await using owned = lifetime();
		const { path: folder } = owned.own(await tempFolder());
		const sockets = { admin: "mode 600 level admin", operator: "mode 600 level operator", usual: "mode 600" };
		const stats = Object.entries(sockets).map(([name, words]) => `\tstats socket ${join(folder, name)} ${words}\n`);
		const cfg = join(folder, "haproxy.cfg");
		await writeFile(cfg, `global\n${stats.join("")}backend web\n\tserver s1 127.0.0.1:1\n`);
		const haproxy = await startHaproxy({ dir: folder, configFiles: [cfg], program: HAPROXY });
		owned.own({ close: haproxy.stop });
		const names = [...Object.keys(sockets), "watched"];
		const proxies = names.map((name) => ({
			name,
			type: "haproxy",
			output: join(folder, `${name}.cfg`),
			reload: ["true"],
			runtimeSocket: join(folder, name === "watched" ? "operator" : name),
			...(name === "watched" && { mode: "observe" }),
		}));
		const config = join(folder, "solistend.yaml");
		await writeFile(config, stringify({ services: {}, proxies }));
		const { stdout, exitCode } = await run(["doctor", "--json", "--config", config]);
		const findings: { name: string; state: string; detail: string }[] = JSON.parse(stdout);
		const of = (name: string) => findings.find((one) => one.name === `proxy ${name}: runtime socket`);
		for (const name of ["admin", "watched"]) {
			expect(of(name)).toMatchObject({ state: "ok", detail: expect.stringMatching(/^HAProxy \d/) });
		}
		for (const name of ["operator", "usual"]) {
			const mend = `its level is operator (let the line in HAProxy's configuration say: stats socket ${folder}/${name} level admin)`;
			expect(of(name)).toMatchObject({ state: "failed", detail: expect.stringContaining(mend) });
		}
		expect(exitCode).toBe(1);
	});
});

describe.skipIf(skipPrivileged)("ls", () => {
	test("shows every listener with its verdict, as JSON and as a table", async () => {
		await using folder = await tempFolder();
		using socket = rawSocket();
		socket.bind(0);
		socket.listen(9);
		const config = join(folder.path, "solistend.yaml");
		await writeFile(config, `services:\n  own:\n    match: { netns: host, port: ${socket.port()} }\n`);
		const { stdout, exitCode } = await run(["ls", "--json", "--config", config]);
		expect(exitCode).toBe(0);
		const mine: unknown = JSON.parse(stdout).find((entry: { port: number }) => entry.port === socket.port());
		expect(mine).toMatchObject({
			address: "127.0.0.1",
			backlog: 9,
			netnsName: "host",
			verdict: { state: "in", places: [{ service: "own", backend: `127.0.0.1:${socket.port()}` }] },
		});
		const text = await run(["ls", "--config", config]);
		expect(text.stdout).toMatch(/^NETNS +ADDRESS +PORT +PROTO/);
		expect(text.stdout).toContain(`in own as 127.0.0.1:${socket.port()}`);
	});

	test("says why a listener is in no pool", async () => {
		using socket = rawSocket();
		socket.bind(0);
		socket.listen(9);
		const { stdout } = await run(["ls", "--json"]);
		const mine: unknown = JSON.parse(stdout).find((entry: { port: number }) => entry.port === socket.port());
		expect(mine).toMatchObject({ verdict: { state: "out", why: "no service is configured" } });
	});
});

describe("wrong usage", () => {
	test.each([
		[["frobnicate"]],
		[["watch", "--colour"]],
		[["watch", "--port", "foo"]],
		[["watch", "--pid", "1", "--pid", "2"]],
		[[]],
	])("%j ends with code 2 and the usage", async (words) => {
		const { exitCode, stderr, stdout } = await run(words);
		expect(exitCode).toBe(2);
		expect(stderr).toMatch(/^solistend: .+\n\nsolistend /);
		expect(stdout).toBe("");
	});

	test("a configuration that is not there ends with code 1 and its place", async () => {
		const { exitCode, stderr } = await run(["check", "--config", "/nonexistent/solistend.yaml"]);
		expect(exitCode).toBe(1);
		expect(stderr).toContain("/nonexistent/solistend.yaml");
		expect(stderr).not.toContain("    at ");
	});
});
