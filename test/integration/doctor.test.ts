/** What doctor sees of real proxies, namespaces and mounts that are as a first install leaves them. */

import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { DaemonUser } from "../../src/cli/doctor/daemon-user.js";
import { proxyFindings } from "../../src/cli/doctor/proxy-finding.js";
import { engineFinding } from "../../src/cli/engine-finding.js";
import type { Finding } from "../../src/cli/finding.js";
import { parseConfig } from "../../src/config/load.js";
import type { Listener } from "../../src/listeners/event.js";
import { askProcesses, parseProcesses, reloadByMaster } from "../../src/proxies/haproxy/master.js";
import { openKernel } from "../../src/sensor/kernel.js";
import { solistend } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { startHaproxy } from "../host/haproxy.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { addNetns, enter, type Netns } from "../host/netns.js";
import { httpLines, mainLines, pidFileIn, startNginx } from "../host/nginx.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const ROOT: DaemonUser = { name: "root", uid: 0, groups: [0], isSelf: true };
const NOBODY: DaemonUser = { name: "nobody", uid: 65_534, groups: [65_534], isSelf: false };
const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

let owned: Lifetime;
let folder: string;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder()));
});
afterEach(() => owned.close());

type Found = Readonly<Record<string, Finding>>;

const byName = (findings: readonly Finding[]): Found =>
	Object.fromEntries(findings.map((one) => [one.name.replace("proxy edge: ", ""), one]));

/** What doctor says of a proxy with these settings. */
async function doctorOf(
	settings: object,
	{ user = ROOT, listeners }: { user?: DaemonUser; listeners?: readonly Listener[] } = {},
): Promise<Found> {
	const loaded = parseConfig(stringify({ proxies: [{ name: "edge", ...settings }] }), "solistend.yaml");
	const proxy = loaded.ok ? loaded.config.proxies[0] : undefined;
	if (proxy === undefined) throw new Error(JSON.stringify(loaded));
	return byName(await proxyFindings(proxy, { user, listeners }));
}

/** HAProxy's own file in a folder of its own, with a frontend at these places. */
async function writeOwn(name: string, ...binds: readonly string[]) {
	const dir = join(folder, name);
	await mkdir(dir, { recursive: true });
	const file = join(dir, "own.cfg");
	const frontend = binds.length === 0 ? "" : `frontend in\n${binds.map((bind) => `\tbind ${bind}\n`).join("")}`;
	const timeouts = ["connect", "client", "server"].map((what) => `\ttimeout ${what} 60s\n`).join("");
	const socket = join(dir, "admin.sock");
	await writeFile(file, `global\n\tstats socket ${socket} level admin\ndefaults\n\tmode http\n${timeouts}${frontend}`);
	return { dir, file, socket };
}

/** A drop-in that is there, in a folder that has nothing else. */
async function writeOutput(): Promise<string> {
	const live = join(folder, "live");
	await mkdir(live, { recursive: true });
	await writeFile(join(live, "edge.cfg"), "backend web\n");
	return join(live, "edge.cfg");
}

async function start(dir: string, configFiles: readonly string[], netns?: Netns) {
	const haproxy = await startHaproxy({ dir, configFiles, netns });
	owned.own({ close: haproxy.stop });
	return haproxy;
}

const asked = (socket: string) => ({ socket, timeoutMs: 10_000, signal: new AbortController().signal });

/** All that listen on this machine. */
function listeners(): readonly Listener[] {
	const kernel = openKernel();
	try {
		kernel.attach();
		kernel.seed();
		return kernel.read().rows;
	} finally {
		kernel.close();
	}
}

describe.skipIf(skipPrivileged)("the files of a HAProxy", () => {
	const reload = ["true"];

	test("have the output, by its name or its folder's, also after a reload", async () => {
		const own = await writeOwn("own");
		const output = await writeOutput();
		for (const loaded of [output, join(folder, "live")]) {
			const haproxy = await start(own.dir, [own.file, loaded]);
			const settings = { type: "haproxy", output, reload, masterSocket: haproxy.masterSocket };
			expect((await doctorOf({ ...settings, runtimeSocket: own.socket }))["loaded"]).toEqual({
				name: "proxy edge: loaded",
				state: "ok",
				detail: expect.stringContaining(`-f ${own.file} -f ${loaded}`),
			});
			await reloadByMaster(asked(haproxy.masterSocket));
			expect((await doctorOf(settings))["loaded"]?.state).toBe("ok");
			await haproxy.stop();
		}
	});

	test("lack the output: then what is written there is never served, which doctor says with what would mend it", async () => {
		const own = await writeOwn("own");
		const output = await writeOutput();
		await start(own.dir, [own.file]);
		const settings = { type: "haproxy", output, reload, runtimeSocket: own.socket };
		const { loaded, "runtime socket": socket } = await doctorOf(settings);
		expect(socket?.state).toBe("ok");
		expect(loaded?.state).toBe("failed");
		expect(loaded?.detail).toContain(`has -f ${own.file}, not ${output}: what is written there is not served`);
		expect(loaded?.detail).toContain(`(start it with -f ${output}, too)`);
		// Who only observes writes nothing that could be loaded.
		expect((await doctorOf({ ...settings, mode: "observe" }))["loaded"]).toBeUndefined();
	});
});

/** Whether a connection to a TCP port, in the namespace of a process, was accepted, and all of it read. proc(5). */
async function hasRead(pid: number, port: number): Promise<boolean> {
	const [ESTABLISHED, NOT_ACCEPTED] = ["01", "0"];
	return (await readFile(`/proc/${pid}/net/tcp`, "utf8"))
		.split("\n")
		.map((line) => line.trim().split(/\s+/))
		.some(
			([, local = "", , state, queues = "", , , , , inode]) =>
				state === ESTABLISHED &&
				Number.parseInt(local.split(":")[1] ?? "", 16) === port &&
				queues.endsWith(":00000000") &&
				inode !== NOT_ACCEPTED,
		);
}

describe.skipIf(skipPrivileged)("the ports of a HAProxy", () => {
	test("are its own, though an old worker still ends its connections", async () => {
		const netns = owned.own(await addNetns("doctor"));
		const own = await writeOwn("own", "127.0.0.1:8080");
		const { masterSocket, pid } = await start(own.dir, [own.file], netns);
		const said: string[] = [];
		const half = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.1\\r\\n' >&3; echo asked; exec sleep infinity";
		owned.own(startProcess([...enter(netns), "bash", "-c", half], { onLine: (line) => said.push(line) }));
		await eventually("half a request is there", () => said.includes("asked"));
		// what waits to be accepted would be the new worker's
		await eventually("the worker has it", () => hasRead(pid, 8080));
		await reloadByMaster(asked(masterSocket));
		const answer = await askProcesses(asked(masterSocket));
		expect(answer.ok && parseProcesses(answer.text).oldWorkers).toHaveLength(1);

		const settings = { type: "haproxy", output: join(folder, "out.cfg"), reload: ["true"], runtimeSocket: own.socket };
		const { ports } = await doctorOf(settings, { listeners: listeners() });
		expect(ports).toMatchObject({ state: "ok", detail: "no other HAProxy listens at 127.0.0.1:8080" });
	});

	test("are shared with another HAProxy, which doctor names with its command and its end", async () => {
		const netns = owned.own(await addNetns("doctor"));
		const [own, other] = [await writeOwn("own", "127.0.0.1:8080"), await writeOwn("other", "*:8080", "127.0.0.1:9090")];
		await start(own.dir, [own.file], netns);
		const forgotten = await start(other.dir, [other.file], netns);
		const settings = { type: "haproxy", output: join(folder, "out.cfg"), reload: ["true"], runtimeSocket: own.socket };
		const { ports } = await doctorOf(settings, { listeners: listeners() });
		expect(ports?.state).toBe("failed");
		expect(ports?.detail).toMatch(/^another HAProxy, process \d+ \(haproxy -W .*\), listens at 0\.0\.0\.0:8080, too: /);
		expect(ports?.detail).toContain(`-f ${other.file}`);
		expect(ports?.detail).toMatch(new RegExp(`process ${forgotten.pid} .*\\(kill ${forgotten.pid}\\)$`));
		await forgotten.stop();
		expect((await doctorOf(settings, { listeners: listeners() }))["ports"]?.state).toBe("ok");
	});
});

test.skipIf(skipPrivileged)(
	"a master socket that takes no reload is none for the daemon, one for operators is",
	async () => {
		for (const masterLevel of ["user", "operator"] as const) {
			const own = await writeOwn(masterLevel);
			const haproxy = await startHaproxy({ dir: own.dir, configFiles: [own.file], masterLevel });
			owned.own({ close: haproxy.stop });
			const settings = { type: "haproxy", output: join(folder, "out.cfg"), masterSocket: haproxy.masterSocket };
			const { "master socket": found, loaded } = await doctorOf(settings);
			expect(found?.state).toBe(masterLevel === "user" ? "failed" : "ok");
			if (masterLevel === "user")
				expect(found?.detail).toContain(`(start it with -S ${haproxy.masterSocket},level,admin)`);
			// Its processes are known all the same.
			expect(loaded?.state).toBe("failed");
		}
	},
);

describe.skipIf(skipPrivileged)("the files of an Nginx", () => {
	/** The configuration of an Nginx that serves nothing. */
	const conf = (include: string) =>
		[...mainLines(folder), `pid ${pidFileIn(folder)};`, "worker_processes 1;", "events {}"].join("\n") +
		`\nhttp {\n${httpLines(folder).join("\n")}\n${include}\n}\n`;

	test("reach the output, or don't, as Nginx itself says", async () => {
		const output = join(folder, "conf.d", "upstreams.conf");
		await mkdir(join(folder, "conf.d"));
		await writeFile(output, "upstream web { server 127.0.0.1:9 down; }\n");
		const own = join(folder, "own.conf");
		await writeFile(own, conf(`include ${folder}/conf.d/*.conf;`));
		owned.own(await startNginx(folder, own, 1));
		const settings = { type: "nginx", output, pidFile: pidFileIn(folder) };
		expect((await doctorOf(settings))["loaded"]).toMatchObject({ state: "ok", detail: `${own} reaches ${output}` });

		await writeFile(own, conf(""));
		const { loaded } = await doctorOf(settings);
		expect(loaded?.state).toBe("failed");
		expect(loaded?.detail).toContain(`(write include ${output}; into the http block of ${own}; nginx -s reload)`);

		await writeFile(own, conf("nonsense;"));
		expect((await doctorOf(settings))["loaded"]).toMatchObject({
			state: "ok",
			detail: expect.stringMatching(/^not known: nginx -T .* says .*nonsense/),
		});
		expect((await doctorOf({ ...settings, output: join(folder, "none.conf") }))["loaded"]?.detail).toContain(
			"not known: there is no",
		);
	});
});

describe.skipIf(skipPrivileged)("what the daemon's user may not open", () => {
	test("is named by root's doctor, with who may", async () => {
		const own = await writeOwn("own");
		const haproxy = await start(own.dir, [own.file]);
		await chmod(folder, 0o755);
		await chmod(own.socket, 0o660);
		await chown(own.socket, 0, 4);
		const output = join(own.dir, "out.cfg");
		const settings = { type: "haproxy", output, runtimeSocket: own.socket, masterSocket: haproxy.masterSocket };
		const found = await doctorOf(settings, { user: NOBODY });
		expect(found["runtime socket"]?.state).toBe("failed");
		expect(found["runtime socket"]?.detail).toBe(
			`${own.socket}: user nobody, which runs the daemon, may not open it: no backend can be changed without a reload (usermod --append --groups adm nobody, then start the daemon anew)`,
		);
		expect(found["master socket"]?.state).toBe("failed");
		expect(found["output"]).toMatchObject({
			state: "failed",
			detail: `the folder ${own.dir} is not writable to user nobody, which runs the daemon (install -d -o nobody ${own.dir}, or choose another)`,
		});

		const groups = [65_534, 4];
		const inGroup = await doctorOf(settings, { user: { ...NOBODY, groups } });
		expect(inGroup["runtime socket"]).toMatchObject({ state: "ok", detail: expect.stringMatching(/^HAProxy \d/) });
		await chmod(own.dir, 0o700);
		const behind = await doctorOf(settings, { user: { ...NOBODY, groups } });
		expect(behind["runtime socket"]?.detail).toContain(`may not enter ${own.dir}, where it is`);
	});

	test("is named for the engine's socket, too", async () => {
		const socket = join(folder, "docker.sock");
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(socket, resolve));
		owned.own({ close: () => new Promise((resolve) => server.close(() => resolve())) });
		await chmod(folder, 0o755);
		await chmod(socket, 0o600);
		const { state, detail } = await engineFinding(`unix://${socket}`, NOBODY);
		expect(state).toBe("failed");
		expect(detail).toContain(`${socket}: user nobody, which runs the daemon, may not open it: `);
		expect(detail).toContain(`(chgrp nobody ${socket} && chmod g+w ${socket})`);
	});

	test("is named by that user's own doctor, and so is a /proc that hides who listens", async () => {
		const own = await writeOwn("own");
		await start(own.dir, [own.file]);
		await chmod(folder, 0o755);
		await chmod(own.socket, 0o600);
		const proxy = { name: "edge", type: "haproxy", output: join(own.dir, "out.cfg"), reload: ["true"] };
		const config = join(folder, "solistend.yaml");
		await writeFile(config, stringify({ proxies: [{ ...proxy, runtimeSocket: own.socket }] }));
		const doctor = async (options: string): Promise<Found> => {
			const mount = `mount -t proc -o ${options} proc /proc && exec "$@"`;
			const hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"];
			const [program = "", ...words] = [...hidden, ...AS_NOBODY, ...solistend("doctor", "--json", "--config", config)];
			const { stdout, exitCode } = await execa(program, words, { reject: false });
			expect(exitCode).toBe(1);
			return byName(JSON.parse(stdout));
		};
		const hidden = await doctor("hidepid=2");
		expect(hidden["/proc"]).toMatchObject({ state: "failed", detail: expect.stringContaining("hides other users'") });
		expect(hidden["runtime socket"]?.detail).toContain(`${own.socket}: user nobody, which runs the daemon, may not`);
		expect(hidden["output"]?.detail).toBe(
			`the folder ${own.dir} is not writable (give this user the right, or choose another)`,
		);
		const shown = await doctor("hidepid=2,gid=65534");
		expect(shown["/proc"]).toMatchObject({ state: "ok", detail: expect.stringContaining("in its group 65534") });
	});
});
