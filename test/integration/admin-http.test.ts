import { get, request } from "node:http";
import { describe, expect, test } from "vitest";
import { ASK, allOf, dealtWith, openAdmin, send, statusOf } from "../host/admin.js";
import { eventually } from "../host/eventually.js";
import { daemonStatus } from "../unit/admin/status.js";

describe.each(["socket", "http"] as const)("the daemon at its %s", (where) => {
	test("answers although 1,000 connections say nothing, and turns those away", async () => {
		await using admin = await openAdmin();
		const silent = Array.from({ length: 1000 }, () => admin.dial(where));
		const ends = silent.map(allOf);
		await Promise.all(silent.map(dealtWith));
		// the kernel takes no more than wait in its own queue at once
		await eventually("an answer", async () => (await send(admin.dial(where), ASK)) === 200);
		const isClosed = () => silent.filter(({ closed }) => closed).length;
		await eventually("most are turned away", async () => isClosed() >= 900);
		expect(await send(admin.dial(where), ASK)).toBe(200);
		for (const socket of silent) socket.destroy();
		const told = (await Promise.all(ends)).filter((text) => text !== "");
		expect(told.length).toBeGreaterThan(0);
		expect(new Set(told.map(statusOf))).toEqual(new Set([503]));
	});

	test("answers although many don't take their answers, or send theirs byte by byte", async () => {
		const services = [{ name: "x".repeat(8_000_000), backends: [] }];
		await using admin = await openAdmin({ status: () => daemonStatus({ services }) });
		const lazy = Array.from({ length: 40 }, () => {
			const socket = admin.dial(where);
			socket.on("error", () => {});
			socket.pause().write(ASK);
			return socket;
		});
		const slow = Array.from({ length: 40 }, () => {
			const socket = admin.dial(where);
			socket.on("error", () => {}).resume();
			socket.write("G");
			return socket;
		});
		await Promise.all([...lazy, ...slow].map(dealtWith));
		expect(await send(admin.dial(where), ASK.replace("status", "listeners"))).toBe(200);
		for (const socket of [...lazy, ...slow]) socket.destroy();
	});

	test.each([
		["a path out of the way", "GET /../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["an escaped one", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["two slashes", "GET //v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["an address of another host", "GET http://10.0.0.1/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["a file of the page by its own name", "GET /browser.js HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["a name of Object's", "GET /__proto__ HTTP/1.1\r\nhost: localhost\r\n\r\n", 404],
		["a zero byte", "GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
		["no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", 400],
		[
			"two lengths",
			"GET /v1/status HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
			400,
		],
		["a head of 9 KB", `GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(9000)}\r\n\r\n`, 431],
		["a path of 9 KB", `GET /${"x".repeat(9000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`, 431],
		["CONNECT", "CONNECT 10.0.0.1:22 HTTP/1.1\r\nhost: localhost\r\n\r\n", 405],
		["an upgrade", "GET /v1/nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 404],
	] as const)("answers %s, and goes on", async (_, text, status) => {
		await using admin = await openAdmin();
		expect(await send(admin.dial(where), text)).toBe(status);
		expect(await send(admin.dial(where), ASK)).toBe(200);
	});

	test("answers one request a connection", async () => {
		await using admin = await openAdmin();
		const socket = admin.dial(where);
		const answer = allOf(socket);
		socket.write(ASK.repeat(3));
		expect((await answer).match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
	});
});

const ask = (port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) =>
	new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
		const asking = request({ host: "127.0.0.1", port, path, ...options }, (response) => {
			let body = "";
			response.setEncoding("utf8").on("data", (chunk: string) => {
				body += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
		});
		asking.on("error", reject).end();
	});

describe("the port of the status page", () => {
	test("serves the page with a policy that lets nothing else in, and lets no other origin read", async () => {
		await using admin = await openAdmin();
		const page = await ask(admin.port, "/");
		expect(page.status).toBe(200);
		expect(page.headers).toMatchObject({
			"content-type": "text/html; charset=utf-8",
			"content-security-policy": expect.stringContaining("default-src 'none'"),
			"x-content-type-options": "nosniff",
			"cross-origin-resource-policy": "same-origin",
		});
		for (const path of ["/page.css", "/page.js", "/icon.svg"]) expect((await ask(admin.port, path)).status).toBe(200);
		const foreign = await ask(admin.port, "/v1/status", { headers: { origin: "http://evil.example" } });
		expect(foreign.headers).not.toHaveProperty("access-control-allow-origin");
		expect(await ask(admin.port, "/", { headers: { host: "evil.example" } })).toMatchObject({ status: 403 });
	});

	test("tells what the control socket does, and changes nothing", async () => {
		await using admin = await openAdmin();
		for (const path of [
			"/metrics",
			"/healthz",
			"/readyz",
			"/v1/status",
			"/v1/services",
			"/v1/listeners",
			"/v1/timeline",
		])
			expect({ path, ...(await ask(admin.port, path)) }).toMatchObject({ status: 200 });
		for (const path of ["/v1/hold", "/v1/release", "/v1/forget", "/v1/drain-host", "/v1/resync", "/v1/reload"]) {
			expect(await ask(admin.port, path, { method: "POST" })).toMatchObject({ status: 405, headers: { allow: "GET" } });
			expect(await ask(admin.port, path)).toMatchObject({ status: 405 });
		}
	});

	test("is for this host alone, and warns where it is not", async () => {
		await using admin = await openAdmin();
		expect(admin.lines.map(({ level, msg }) => [level, msg])).toEqual([[30, "status page"]]);
		await admin.admin.listen({ ...admin.places, http: { address: "0.0.0.0", port: admin.port } });
		expect(admin.lines.at(-1)).toMatchObject({
			level: 40,
			msg: expect.stringContaining("whoever reaches it can read it"),
		});
		expect(await ask(admin.port, "/", { headers: { host: "evil.example" } })).toMatchObject({ status: 403 });
		expect(await ask(admin.port, "/", { headers: { host: "10.0.0.1:1" } })).toMatchObject({ status: 200 });
	});

	test("of another program is left to it, with a warning", async () => {
		await using first = await openAdmin();
		await using second = await openAdmin();
		await second.admin.listen({ ...second.places, http: first.places.http });
		expect(second.lines.at(-1)).toMatchObject({
			level: 40,
			msg: "no status page",
			reason: expect.stringContaining("is in use"),
		});
		expect(await ask(first.port, "/healthz")).toMatchObject({ status: 200 });
	});

	test("is closed when the configuration no longer has it, and opened when it has", async () => {
		await using admin = await openAdmin();
		const { socket } = admin.places;
		await admin.admin.listen({ socket, host: "edge-1", hosts: [] });
		await expect(ask(admin.port, "/healthz")).rejects.toThrow("ECONNREFUSED");
		await admin.admin.listen(admin.places);
		expect(await ask(admin.port, "/healthz")).toMatchObject({ status: 200 });
	});
});

describe("the events", () => {
	/** Follows; what came so far. */
	function follow(port: number) {
		const got = { text: "", isOver: false };
		const following = get({ host: "127.0.0.1", port, path: "/v1/events" }, (response) => {
			response.setEncoding("utf8").on("data", (chunk: string) => {
				got.text += chunk;
			});
			response.on("close", () => {
				got.isOver = true;
			});
		});
		following.on("error", () => {});
		return Object.assign(got, { end: () => following.destroy() });
	}
	const backend = {
		id: "10.0.0.1:80",
		state: "ready",
		held: false,
		reason: "it listens",
		since: "2026-01-01T00:00:00.000Z",
	} as const;

	test("begin with the status, and go on with what becomes another", async () => {
		await using admin = await openAdmin();
		admin.become({ services: [{ name: "web", backends: [] }] });
		const one = follow(admin.port);
		await eventually("the status", async () => one.text.includes("event: status"));
		admin.become({ services: [{ name: "web", backends: [backend] }] });
		await eventually("the backend", async () => one.text.includes("event: backend\n"));
		expect(one.text).toContain(`data: {"service":"web","id":"10.0.0.1:80","state":"ready"`);
		admin.become({ services: [{ name: "web", backends: [] }] });
		await eventually("its end", async () => one.text.includes("event: backend-gone\n"));
		one.end();
	});

	test("cost nothing while nobody follows them", async () => {
		await using admin = await openAdmin();
		const one = follow(admin.port);
		await eventually("the status", async () => one.text.includes("event: status"));
		one.end();
		await eventually("nobody follows", async () => admin.followed() === 0);
		const before = admin.looks();
		admin.become({ listeners: 99 });
		expect(await ask(admin.port, "/healthz")).toMatchObject({ status: 200 });
		expect(admin.looks()).toBe(before + 1);
	});

	test("are for 16 at once, and one more is told so", async () => {
		await using admin = await openAdmin();
		const all = Array.from({ length: 16 }, () => follow(admin.port));
		await eventually("all follow", async () => all.every(({ text }) => text.includes("event: status")));
		const more = follow(admin.port);
		await eventually("an answer", async () => more.text !== "");
		expect(more.text).toContain("too many follow the events already");
		for (const one of all) one.end();
	});

	test("wait for a slow one in one piece, whatever happens meanwhile", async () => {
		// it is not cut before the end: while nobody follows, nothing is looked at
		await using admin = await openAdmin({}, { followingMs: 60_000 });
		const socket = admin.dial("http");
		socket.on("error", () => {});
		socket.write("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
		socket.pause();
		const big = (n: number) =>
			Array.from({ length: 300 }, (_, i) => ({ ...backend, id: `b${i}`, reason: `${n} ${"x".repeat(20_000)}` }));
		const before = process.memoryUsage().rss;
		for (let n = 0; n < 30; n++) {
			const before = admin.looks();
			admin.become({ services: [{ name: "web", backends: big(n) }] });
			await eventually("it was looked at", async () => admin.looks() > before);
		}
		// thirty times 6 MB would wait, if all of it did
		expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
		const other = follow(admin.port);
		await eventually("another one is told", async () => other.text.includes("29 xxx"));
		other.end();
		socket.destroy();
	});
});
