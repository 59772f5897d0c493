import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { addContainerCgroup } from "../host/cgroup.js";
import type { Daemon } from "../host/daemon.js";
import { applied, type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { type LazyServer, startLazyServer } from "../host/lazy-server.js";
import { startNginx, wholeFile } from "../host/nginx.js";
import { answersAre, operate, resync, serve, serversOf, toldOf, untilAdmin, untilTold } from "../host/operator.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill } from "../host/process.js";

requirePrivileges();

/** Who HAProxy sends requests to. */
const readyIn = async (edge: Edge) =>
	(await serversOf(edge)).filter(({ admin }) => admin === "ready").map(({ address }) => address);

async function serveLazily(edge: Edge, daemon: Daemon, name: string): Promise<LazyServer & { readonly id: string }> {
	const netns = await edge.segment.addNetns(name);
	const server = edge.owned.own(await startLazyServer({ name, netns, backlog: 2 }));
	const id = `${netns.address}:80`;
	await joined(daemon, `web/${id}`);
	return { ...server, id };
}

describe.skipIf(skipPrivileged)("a backend whose process is stopped", () => {
	test("is out until it goes on, which status and explain say", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		await serve(edge, daemon, "green");
		kill(blue.pid, "SIGSTOP");
		await untilAdmin(edge, blue.id, "maint");
		const why = `paused( for .*)?: it was stopped by a signal, such as SIGSTOP; back when it goes on \\(kill -CONT ${blue.pid}\\)`;
		await untilTold(edge, blue.id, "down", new RegExp(`^${why}$`));
		expect(await toldOf(edge, blue.id)).toMatchObject({ held: false });
		await answersAre(edge, "green");
		// a look at all of it takes it for what it is, and not for the word of a person
		await resync(edge);
		const explained = await operate(edge, "explain", blue.id);
		expect(explained).toMatch(new RegExp(`waits for pool \\(web\\): down: ${why}`));
		expect(explained).toMatch(/paused: stopped by a signal/);
		const listed: object[] = JSON.parse(await operate(edge, "ls", "--json"));
		expect(listed.find((one) => "pid" in one && one.pid === blue.pid)).toMatchObject({
			paused: "signal",
			verdict: {
				state: "in",
				places: [{ service: "web", state: "down", why: expect.stringMatching(new RegExp(why)) }],
			},
		});

		kill(blue.pid, "SIGCONT");
		await untilAdmin(edge, blue.id, "ready");
		await answersAre(edge, "blue", "green");
		expect(await operate(edge, "explain", blue.id)).toMatch(/it runs again/);
		expect(await toldOf(edge, blue.id)).toMatchObject({ state: "ready", held: false });
	});

	test("stays where it is the only one, and answers what waited when it goes on", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		kill(blue.pid, "SIGSTOP");
		await untilTold(edge, blue.id, "ready", /^paused.*; it stays: no other is ready$/);
		const asked = ask(edge.url, { timeoutMs: 20_000 });
		expect(await readyIn(edge)).toEqual([blue.id]);
		kill(blue.pid, "SIGCONT");
		expect(await asked).toMatchObject({ status: 200 });
		await untilTold(edge, blue.id, "ready", /^it listens$/);
	});

	test("is out alone where two of three are, unless guard.maxEjected lets both", async () => {
		await using edge = await openEdge({ settings: { guard: { maxEjected: "34%" } } });
		const daemon = await edge.startDaemon();
		const [blue, green, red] = [
			await serve(edge, daemon, "blue"),
			await serve(edge, daemon, "green"),
			await serve(edge, daemon, "red"),
		];
		kill(blue.pid, "SIGSTOP");
		await untilAdmin(edge, blue.id, "maint");
		kill(green.pid, "SIGSTOP");
		await untilTold(edge, green.id, "ready", /^paused.*; it stays: too many would be out$/);
		expect((await readyIn(edge)).sort()).toEqual([green.id, red.id].sort());
		await edge.configure({ settings: { guard: { maxEjected: "67%" } } });
		await untilAdmin(edge, green.id, "maint");
		await answersAre(edge, "red");
		for (const { pid } of [blue, green]) kill(pid, "SIGCONT");
		await answersAre(edge, "blue", "green", "red");
	});

	test("is found by a daemon that starts meanwhile, which leaves the proxy as it is", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		const blue = await serve(edge, first, "blue");
		await serve(edge, first, "green");
		kill(blue.pid, "SIGSTOP");
		await untilAdmin(edge, blue.id, "maint");
		await eventually("the file follows", async () => (await edge.written()).includes(" disabled\n"));
		await first.kill();
		const second = await edge.startDaemon();
		await untilTold(edge, blue.id, "down", /^paused/);
		expect(applied(second).filter(({ joined }) => Array.isArray(joined) && joined.length > 0)).toEqual([]);
		await answersAre(edge, "green");
		kill(blue.pid, "SIGCONT");
		await answersAre(edge, "blue", "green");
	});
});

describe.skipIf(skipPrivileged)("a backend whose cgroup is frozen", () => {
	test("is out until it thaws", async () => {
		await using cgroup = await addContainerCgroup(`${process.pid}stuck`);
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue", { within: cgroup.enter });
		await serve(edge, daemon, "green");
		await cgroup.freeze();
		await untilTold(edge, blue.id, "down", /^paused( for .*)?: its cgroup is frozen; .*docker unpause/);
		await untilAdmin(edge, blue.id, "maint");
		await answersAre(edge, "green");
		await cgroup.thaw();
		await answersAre(edge, "blue", "green");
	});
});

describe.skipIf(skipPrivileged)("a backend that no longer accepts", () => {
	const hung = { after: "500ms" };

	test("is out after hung.after, and back when it accepts", async () => {
		await using edge = await openEdge({ settings: { hung } });
		const daemon = await edge.startDaemon();
		const lazy = await serveLazily(edge, daemon, "lazy");
		await serve(edge, daemon, "green");
		await lazy.tell("hang");
		await lazy.fill(lazy.id.slice(0, -3));
		await untilTold(
			edge,
			lazy.id,
			"down",
			new RegExp(
				`^hung( for .*)?: it accepts none \\(3 connections wait, backlog 2\\); .*see what pid ${lazy.pid} waits for`,
			),
		);
		await untilAdmin(edge, lazy.id, "maint");
		await answersAre(edge, "green");
		await lazy.tell("accept");
		await untilAdmin(edge, lazy.id, "ready");
		await answersAre(edge, "green", "lazy");
		const explained = await operate(edge, "explain", lazy.id);
		expect(explained).toMatch(/hung: it accepts none of 3 connections/);
		expect(explained).toMatch(/it accepts connections again/);
	});

	test("stays where it is the only one, and where nobody looks", async () => {
		await using edge = await openEdge({ settings: { hung } });
		const daemon = await edge.startDaemon();
		const lazy = await serveLazily(edge, daemon, "lazy");
		await lazy.tell("hang");
		await lazy.fill(lazy.id.slice(0, -3));
		await untilTold(edge, lazy.id, "ready", /^hung.*; it stays: no other is ready$/);
		expect(await readyIn(edge)).toEqual([lazy.id]);
		await edge.configure({ settings: { hung: false } });
		await untilTold(edge, lazy.id, "ready", /^it listens$/);
		await lazy.tell("accept");
		await answersAre(edge, "lazy");
	});
});

test.skipIf(skipPrivileged)("Nginx gets neither who is paused nor who hangs, until they can serve", async () => {
	await using edge = await openEdge();
	const folder = join(edge.folder, "nginx");
	await mkdir(join(folder, "out"), { recursive: true });
	const port = await freePort();
	const front = { name: "front", reloadInterval: "0ms", ...wholeFile(folder, join(folder, "out", "nginx.conf"), port) };
	await edge.configure({ settings: { proxies: [front], hung: { after: "500ms" }, guard: { maxEjected: "67%" } } });
	await writeFile(front.output, `${await operate(edge, "render")}\n`);
	await using _ = await startNginx(folder, front.output);
	const daemon = await edge.startDaemon();
	const nginx = { ...edge, url: `http://127.0.0.1:${port}/` };
	const blue = await serve(edge, daemon, "blue");
	await serve(edge, daemon, "green");
	const lazy = await serveLazily(edge, daemon, "lazy");
	kill(blue.pid, "SIGSTOP");
	await untilTold(edge, blue.id, "down", /^paused/);
	// whoever asks before may wait for it
	await left(daemon, `web/${blue.id}`);
	await answersAre(nginx, "green", "lazy");
	await lazy.tell("hang");
	await lazy.fill(lazy.id.slice(0, -3));
	await untilTold(edge, lazy.id, "down", /^hung/);
	await left(daemon, `web/${lazy.id}`);
	await answersAre(nginx, "green");
	kill(blue.pid, "SIGCONT");
	await lazy.tell("accept");
	await answersAre(nginx, "blue", "green", "lazy");
});
