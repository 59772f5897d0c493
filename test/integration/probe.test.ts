import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { execa } from "execa";
import { afterEach, describe, expect, test } from "vitest";
import type { Question } from "../../src/backends/gate.js";
import { readySchema } from "../../src/config/schema.js";
import { probe } from "../../src/readiness/probe.js";
import { lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";

const owned = lifetime();
afterEach(() => owned.close());

/** Listens until the test is over. @returns its port */
async function listening(server: Server, host: string): Promise<number> {
	const open = new Set<Socket>();
	server.on("connection", (socket: Socket) => {
		open.add(socket);
		// whoever asks hangs up at once
		socket.on("error", () => undefined).once("close", () => open.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	owned.own({
		async close() {
			for (const socket of open) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	});
	const { port } = server.address() as AddressInfo;
	return port;
}

const http = (answer: RequestListener, host = "127.0.0.1") => listening(createServer(answer), host);
const tcp = (take: (socket: Socket) => void) => listening(createTcpServer(take), "127.0.0.1");

const questionAt = (port: number, settings: object = { http: "/healthz?deep=1" }, address = "127.0.0.1"): Question => ({
	address,
	port,
	host: "www.example.org",
	ready: readySchema.parse(settings),
});
const ask = (question: Question, timeoutMs = 5000, signal = new AbortController().signal) =>
	probe(question, timeoutMs, signal);

describe("a question over HTTP", () => {
	test("is one GET, by name, over a connection that ends with it", async () => {
		const asked: unknown[] = [];
		const port = await http(({ method, url, headers: { host, connection, "user-agent": agent } }, response) => {
			asked.push({ method, url, host, connection, agent });
			response.end("fine");
		});
		expect(await ask(questionAt(port))).toEqual({ isReady: true, said: "status 200" });
		const agent = expect.stringMatching(/^solistend\/\d/);
		expect(asked).toEqual([
			{ method: "GET", url: "/healthz?deep=1", host: "www.example.org", connection: "close", agent },
		]);
	});

	test.each([
		[200, "200-399", true],
		[399, "200-399", true],
		[302, "200-399", true],
		[400, "200-399", false],
		[503, "200-399", false],
		[204, "204", true],
		[200, "204", false],
		[101, "101", true],
	])("that is answered with %i, where %s is wanted: %s", async (status, wanted, isReady) => {
		let requests = 0;
		const port = await http((_, response) => {
			requests++;
			response.writeHead(status, { location: "/elsewhere" }).end();
		});
		const raw = await tcp((socket) => {
			socket.once("data", () =>
				socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
			);
		});
		const answer = await ask(questionAt(status === 101 ? raw : port, { http: "/", status: wanted }));
		expect(answer).toEqual({ isReady, said: `status ${status}` });
		// a redirect is an answer, and is not followed
		expect(requests).toBe(status === 101 ? 0 : 1);
	});

	test("is over with the head of the answer, however long the rest is", async () => {
		const port = await http((_, response) => {
			response.writeHead(200);
			const more = () => {
				while (response.write(Buffer.alloc(65_536))) if (response.destroyed) return;
			};
			response.on("drain", more).on("error", () => undefined);
			more();
		});
		expect(await ask(questionAt(port))).toEqual({ isReady: true, said: "status 200" });
	});

	test("reaches IPv6", async () => {
		const port = await http((_, response) => response.end(), "::1");
		expect(await ask(questionAt(port, { http: "/" }, "::1"))).toEqual({ isReady: true, said: "status 200" });
	});

	test("to somebody who talks, and not HTTP", async () => {
		const port = await tcp((socket) => socket.end("220 mail.example.org ESMTP\r\n"));
		expect(await ask(questionAt(port))).toEqual({ isReady: false, said: "no HTTP answer" });
	});

	test("to somebody who hangs up", async () => {
		const port = await tcp((socket) => socket.end());
		expect(await ask(questionAt(port))).toEqual({ isReady: false, said: "connection closed without an answer" });
	});

	test("to somebody who says nothing ends with its bound", async () => {
		const port = await tcp(() => undefined);
		expect(await ask(questionAt(port), 50)).toEqual({ isReady: false, said: "no answer within 50 ms" });
	});
});

describe("a question for a connection", () => {
	test("is answered where somebody listens, whatever it speaks", async () => {
		const port = await tcp(() => undefined);
		expect(await ask(questionAt(port, { tcp: true }))).toEqual({ isReady: true, said: "connected" });
	});
});

describe.each([
	["over HTTP", { http: "/" }],
	["for a connection", { tcp: true }],
])("a question %s", (_, settings) => {
	test("where nobody listens", async () => {
		const port = await freePort();
		expect(await ask(questionAt(port, settings))).toEqual({ isReady: false, said: "connection refused" });
	});

	test("that is no longer of interest ends at once, before and while it is asked", async () => {
		const port = await tcp(() => undefined);
		const ended = AbortSignal.abort();
		const question = questionAt(port, settings);
		expect((await ask(question, 5000, ended)).isReady).toBe(false);
		const now = new AbortController();
		const asking = ask(question, 600_000, now.signal);
		now.abort();
		expect((await asking).isReady).toBe(false);
	});
});

test("questions leave no socket and no timer behind: a program that asked ends by itself", async () => {
	const silent = await tcp((socket) => socket.resume());
	const endless = await http((_, response) => response.writeHead(200).write("more to come"));
	const gone = await freePort();
	const questions = [silent, endless, gone].flatMap((port) => [questionAt(port), questionAt(port, { tcp: true })]);
	const program = `
		import { probe } from ${JSON.stringify(import.meta.resolve("../../build/readiness/probe.js"))};
		const questions = ${JSON.stringify(questions)};
		const ended = new AbortController();
		const never = new AbortController().signal;
		const asking = questions.map((question) => probe(question, 600_000, ended.signal));
		const answers = questions.map((question) => probe(question, question.port === ${silent} ? 50 : 600_000, never));
		setImmediate(() => ended.abort());
		await Promise.all([...answers, ...asking]);
	`;
	await execa(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
});
