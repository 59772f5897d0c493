import { chmod, chown, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import { askSocket, parseInfo, parseServersState, type ServerState } from "../../src/proxies/haproxy/runtime-api.js";
import { eventually } from "../host/eventually.js";
import { backend, type Followed, follow, proxyConfig, rendered, service } from "../host/followed.js";
import { type Haproxy, startHaproxy } from "../host/haproxy.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";
import { type PortServer, startPortServer } from "../host/port-server.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill } from "../host/process.js";
import { HAPROXY } from "../host/programs.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const SLOTS = 4;

let owned: Lifetime;
let folder: string;
let output: string;
let runtimeSocket: string;
let url: string;
let haproxy: Haproxy;

beforeEach(async () => {
	owned = lifetime();
	folder = owned.own(await tempFolder()).path;
	await mkdir(join(folder, "out"));
	output = join(folder, "out", "haproxy.cfg");
	runtimeSocket = join(folder, "run.sock");
});

afterEach(() => owned.close());

const signal = new AbortController().signal;

async function configured(settings: Record<string, unknown> = {}): Promise<ProxyConfig> {
	const port = await freePort();
	url = `http://127.0.0.1:${port}/`;
	return proxyConfig({
		type: "haproxy",
		output,
		template: "haproxy.cfg.hbs",
		check: [HAPROXY, "-c", "-f", "{{output}}"],
		runtimeSocket,
		masterSocket: join(folder, "master.sock"),
		slots: { min: SLOTS },
		options: { bind: `127.0.0.1:${port}` },
		...settings,
	});
}

async function start(): Promise<void> {
	haproxy = await startHaproxy({ dir: folder, configFiles: [output] });
	owned.own({ close: haproxy.stop });
}

/** HAProxy runs with what was rendered for a set, and is followed. */
async function followed(proxy: ProxyConfig, desired: DesiredSet): Promise<Followed> {
	await writeFile(output, await rendered(proxy, desired));
	await start();
	return owned.own(await follow(proxy, desired));
}

const servers = async (count: number): Promise<PortServer[]> => {
	const made: PortServer[] = [];
	for (let index = 0; index < count; index++) made.push(owned.own(await startPortServer()));
	return made;
};

const web = (...of: readonly PortServer[]) => [
	service(
		"web",
		of.map(({ port }) => port),
	),
];

async function runtime(command: string): Promise<string> {
	const answer = await askSocket({ socket: runtimeSocket, command, timeoutMs: 5000, signal, openEnd: true });
	if (!answer.ok) throw new Error(answer.why);
	return answer.text;
}

const told = (command: string) =>
	askSocket({ socket: runtimeSocket, command, timeoutMs: 5000, signal, openEnd: true }).then(() => undefined);

const info = async () => parseInfo(await runtime("show info"));
const isDynamic = async () => Number((await info()).version.split(".")[0]) >= 3;
const states = async (): Promise<ServerState[]> => parseServersState(await runtime("show servers state web"));
const stateOf = async (port: number) => (await states()).find((server) => server.port === port);
/** Of `srv_admin_state`: forced maintenance and drain. */
const MAINT = 0x01;
const DRAIN = 0x08;

/** What answers, over so many new connections. */
async function answers(count = 8): Promise<string[]> {
	const bodies = new Set<string>();
	for (let asked = 0; asked < count; asked++) {
		const { status, body } = await ask(url);
		bodies.add(status === 200 ? body : String(status));
	}
	return [...bodies].sort();
}

const ports = (...of: readonly PortServer[]) => of.map(({ port }) => String(port)).sort();
const workersStarted = () => haproxy.log().match(/New worker/g)?.length ?? 0;
const follows = (port: number, is = true) =>
	eventually("the file follows", async () => (await readFile(output, "utf8")).includes(`:${port} `) === is);

describe.skipIf(skipPrivileged)("a single change", () => {
	test("joins and leaves without a reload, and the file follows", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one));
		expect(await loop.changeFast(web(one, two))).toMatchObject({
			joined: [`web/127.0.0.1:${two.port}`],
			reload: false,
			stagesMs: { runtime: expect.any(Number) },
		});
		expect(await answers()).toEqual(ports(one, two));
		await follows(two.port);
		await loop.changeFast(web(two));
		expect(await answers()).toEqual(ports(two));
		await follows(one.port, false);
		expect(workersStarted()).toBe(1);
		await loop.untilState("applied");
	});

	test("drains, and its connections go on", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one, two));
		const draining = [
			service("web", [], { backends: [backend("web", one.port, { state: "drain" }), backend("web", two.port)] }),
		];
		loop.touch(draining);
		await eventually("it drains", async () => (await stateOf(one.port))?.admin === DRAIN);
		expect(await answers()).toEqual(ports(two));
		await loop.changeFast(web(one, two));
		expect(await answers()).toEqual(ports(one, two));
	});

	test("for more backends than there are slots costs one reload before the last is taken, or none where servers can be added", async () => {
		const all = await servers(SLOTS + 2);
		const loop = await followed(await configured(), web());
		const expected = (await isDynamic()) ? 1 : 2;
		for (let count = 1; count <= all.length; count++) {
			await loop.changeFast(web(...all.slice(0, count)));
			await eventually("all answer", async () => (await answers(count * 3)).length === count);
			if (count < SLOTS - 1) expect(workersStarted()).toBe(1);
		}
		expect(await answers(all.length * 4)).toEqual(ports(...all));
		await follows(all.at(-1)?.port ?? 0);
		expect(workersStarted()).toBe(expected);
		await loop.untilState("applied");
	});

	test("of many leaves no server behind that was added for it", async () => {
		const all = await servers(SLOTS * 3);
		const loop = await followed(await configured(), web());
		if (!(await isDynamic())) return expect(all).toHaveLength(SLOTS * 3);
		await loop.change(web(...all));
		expect(await states()).toHaveLength(all.length);
		await loop.change(web());
		await eventually("they are deleted", async () => {
			loop.look();
			return (await states()).length === SLOTS;
		});
		return expect(workersStarted()).toBe(1);
	});

	test("that HAProxy was not asked for is left alone: other backends, and servers that somebody added", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one));
		await told(`add server web/mine 127.0.0.1:${two.port} weight 50; enable server web/mine`);
		loop.touch([service("web", [one.port], { backends: [backend("web", one.port, { weight: 50 })] })]);
		loop.look();
		await eventually("the weight is set", async () => (await stateOf(one.port))?.weight === 50);
		expect((await states()).some(({ server }) => server === "mine")).toBe(true);
		expect(await answers()).toEqual(ports(one, two));
	});
});

describe.skipIf(skipPrivileged)("whoever reloads or starts HAProxy", () => {
	test("with a file that is behind gets it right again, within the watch", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const proxy = await configured();
		const loop = await followed(proxy, web(one));
		await loop.changeFast(web(two));
		await follows(two.port);
		// as if the daemon had been cut off before it wrote
		const before = (await info()).worker;
		await writeFile(
			output,
			await rendered(proxy, web(one)).then((text) => text.replaceAll(`:${two.port} `, `:${one.port} `)),
		);
		kill(haproxy.pid, "SIGUSR2");
		await eventually("another worker answers", async () => (await info()).worker !== before);
		await eventually("the right one serves", async () => (await answers(4)).join() === ports(two).join());
		await follows(two.port);
	});

	test("by hand after it was killed", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one));
		await haproxy.stop();
		await loop.changeFast(web(one, two), "proxy unreachable");
		await follows(two.port);
		await start();
		await loop.untilState("applied");
		expect(await answers()).toEqual(ports(one, two));
		await loop.changeFast(web(two));
		expect(await answers()).toEqual(ports(two));
	});

	test("with a configuration that was edited by hand", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one));
		const text = await readFile(output, "utf8");
		const before = (await info()).worker;
		await writeFile(output, text.replace("balance roundrobin", "balance leastconn"));
		kill(haproxy.pid, "SIGUSR2");
		// a command before that goes to the old worker, and the new one has it only once it was looked at
		await eventually("another worker answers", async () => (await info()).worker !== before);
		await eventually("the file is as rendered", async () => (await readFile(output, "utf8")) === text);
		await loop.untilState("applied");
		await loop.changeFast(web(one, two));
		await eventually("both serve", async () => (await answers()).join() === ports(one, two).join());
	});

	test("while changes come in, loses none of them", async () => {
		const all = await servers(3);
		const loop = await followed(await configured(), web());
		for (let round = 0; round < 6; round++) {
			kill(haproxy.pid, "SIGUSR2");
			const set = web(...all.filter((_, index) => (round >> index) % 2 === 0));
			loop.touch(set);
		}
		loop.touch(web(...all));
		await eventually("all serve", async () => (await answers(12)).join() === ports(...all).join());
	});
});

describe.skipIf(skipPrivileged)("what a person sets by hand", () => {
	test("is told, for servers that are in use", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one, two));
		await told("set server web/s1 state maint; set server web/s2 state drain; set server web/s3 state ready");
		loop.look();
		await eventually("both are told", () => loop.operator.length === 2);
		expect(loop.operator).toEqual([
			{ service: "web", id: `127.0.0.1:${one.port}`, state: "down" },
			{ service: "web", id: `127.0.0.1:${two.port}`, state: "drain" },
		]);
		// nobody is in the third
		await eventually("the free one is out again", async () => ((await states())[2]?.admin ?? 0) & MAINT);
	});
});

describe.skipIf(skipPrivileged)("a runtime socket", () => {
	/** Puts somebody else in the place of HAProxy's socket; the path of the real one, and how to put it back. */
	async function replaced(answer: (connection: Socket, said: string) => void): Promise<() => Promise<void>> {
		const real = `${runtimeSocket}.real`;
		await rename(runtimeSocket, real);
		const connections = new Set<Socket>();
		const fake = createServer((connection) => {
			connections.add(connection);
			connection.on("error", () => {});
			connection.on("data", (data) => answer(connection, data.toString()));
		});
		await new Promise<void>((resolve) => fake.listen(runtimeSocket, resolve));
		const back = async () => {
			for (const connection of connections) connection.destroy();
			await new Promise((resolve) => fake.close(resolve));
			await rename(real, runtimeSocket).catch(() => {});
		};
		owned.own({ close: back });
		return back;
	}

	/** Has the real HAProxy answer. */
	const passOn = (connection: Socket, said: string, loses = false) => {
		const real = connect(`${runtimeSocket}.real`);
		real.on("error", () => {});
		real.write(said);
		real.on("data", (data) => loses || connection.write(data));
		real.on("end", () => connection.end());
	};

	const wrong: [string, (connection: Socket, said: string) => void, RegExp][] = [
		[
			"that answers garbage",
			(connection) => connection.end("\u0000\u0001garbage\n> \n\n"),
			/cannot read HAProxy's answer|cannot change/,
		],
		["that closes in the middle of a command", (connection) => connection.destroy(), /closed/],
		["that hangs", () => {}, /did not answer/],
		[
			"that refuses every change",
			(connection, said) => {
				if (said.startsWith("prompt")) connection.write("\n> \nPermission denied\n\n> ");
				else connection.end("Permission denied\n\n\n");
			},
			/cannot read HAProxy's answer/,
		],
	];

	test.each(wrong)(
		"%s loses nothing: it is told, tried again, and right when the obstacle is gone",
		async (_, answer, why) => {
			const [one, two] = (await servers(2)) as [PortServer, PortServer];
			const loop = await followed(await configured({ timeout: "300ms" }), web(one));
			const back = await replaced(answer);
			loop.touch(web(one, two));
			await eventually("the trouble is told", () => {
				const now = loop.status;
				return (now.state === "failed" || now.state === "unreachable") && why.test(now.why);
			});
			expect((await ask(url)).status).toBe(200);
			await back();
			await loop.untilState("applied");
			expect(await answers()).toEqual(ports(one, two));
		},
	);

	const ways: [string, (loop: Followed, desired: DesiredSet) => unknown][] = [
		["of a single change", (loop, desired) => loop.touch(desired)],
		["of a plan", (loop, desired) => loop.change(desired, "not applied")],
	];

	test.each(ways)("that loses the answer to a command %s: what it did is no person's word", async (_, change) => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one, two));
		let isLost = false;
		/** Since then. */
		let reads = 0;
		const back = await replaced((connection, said) => {
			const loses = !isLost && said.includes("set server");
			isLost ||= loses;
			if (isLost && said.includes("show servers state")) reads += 1;
			passOn(connection, said, loses);
		});
		await change(loop, [
			service("web", [], { backends: [backend("web", one.port, { state: "drain" }), backend("web", two.port)] }),
		]);
		await eventually("HAProxy was read after that", () => reads > 0);
		loop.look();
		// Rounds come one after the other: the first one is over then.
		const before = reads;
		await eventually("it was read again", () => reads > before);
		await loop.untilState("applied");
		await back();
		expect((await stateOf(one.port))?.admin).toBe(DRAIN);
		expect(loop.operator).toEqual([]);
		// By the fast lane, or by a plan where a round lost its answer as the socket came back.
		loop.touch(web(one, two));
		await eventually("it is ready again", async () => (await stateOf(one.port))?.admin === 0);
		await loop.untilState("applied");
		expect(loop.operator).toEqual([]);
		expect(await answers()).toEqual(ports(one, two));
	});

	test("that answers the first question after a worker only after a reload", async () => {
		const [one] = (await servers(1)) as [PortServer];
		const proxy = await configured();
		const text = await rendered(proxy, web(one));
		await writeFile(output, text);
		await start();
		const before = (await info()).worker;
		let release: (() => void) | undefined;
		await replaced((connection, said) => {
			if (release !== undefined || said !== "show info\n") passOn(connection, said);
			else release = () => passOn(connection, said);
		});
		owned.own(await follow(proxy, web(one)));
		await writeFile(output, text.replace("balance roundrobin", "balance leastconn"));
		kill(haproxy.pid, "SIGUSR2");
		const real = { socket: `${runtimeSocket}.real`, command: "show info", timeoutMs: 5000, signal };
		await eventually("another worker answers", async () => {
			const answer = await askSocket(real);
			return answer.ok && parseInfo(answer.text).worker !== before && release !== undefined;
		});
		release?.();
		await eventually("the file is as rendered", async () => (await readFile(output, "utf8")) === text);
	});

	test("that is gone for a while", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured(), web(one));
		await rename(runtimeSocket, `${runtimeSocket}.away`);
		await loop.changeFast(web(one, two), "proxy unreachable");
		await rename(`${runtimeSocket}.away`, runtimeSocket);
		await loop.untilState("applied");
		expect(await answers()).toEqual(ports(one, two));
	});

	test("that may not be opened", async () => {
		const [one, two] = (await servers(2)) as [PortServer, PortServer];
		const loop = await followed(await configured({ check: undefined }), web(one));
		await chmod(folder, 0o755);
		await chown(join(folder, "out"), 65_534, 65_534);
		await chmod(runtimeSocket, 0o600);
		process.seteuid?.(65_534);
		try {
			const line = await loop.changeFast(web(one, two), "proxy unreachable");
			expect(line["reason"]).toContain(
				`${runtimeSocket} may not be opened (put the user that runs solistend in the socket's group)`,
			);
		} finally {
			process.seteuid?.(0);
		}
		await loop.untilState("applied");
		expect(await answers()).toEqual(ports(one, two));
	});
});
