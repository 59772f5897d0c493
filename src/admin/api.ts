/**
 * What the daemon answers over HTTP: the routes, and their JSON. Loaded with the first question only, since node:http
 * takes memory. Knows of the daemon what its view shows.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { z } from "zod";
import { printable } from "../config/wording.js";
import { messageOf } from "../errors.js";
import type { Patience, Phases } from "./connections.js";
import { createEvents } from "./events.js";
import { questionOf } from "./explain.js";
import { createTurns, type InTurn } from "./turns.js";
import type { BackendName, DaemonStatus, DaemonView } from "./view.js";
import { refusalOf, type WebPlace } from "./web.js";
import { listed, type Meant, meantBy } from "./what.js";

/** Longest body of a request, in bytes. */
const MAX_BODY = 16_384;
const MAX_HEADER = 8192;

interface Answer {
	readonly status: number;
	/** Sent as JSON, text as it is. */
	readonly body: unknown;
	readonly type?: string;
	/** Besides those of every answer. */
	readonly headers?: Readonly<Record<string, string>>;
}

/** Of every answer: what is told is of this moment, for whoever asked, and is what it says it is. */
const HEADERS = {
	"cache-control": "no-store",
	"cross-origin-resource-policy": "same-origin",
	"referrer-policy": "no-referrer",
	"x-content-type-options": "nosniff",
	connection: "close",
} as const;

type Route = (view: DaemonView, body: unknown, query: URLSearchParams) => Answer | Promise<Answer>;

const fine = (body: unknown): Answer => ({ status: 200, body });
const wrong = (status: number, error: string): Answer => ({ status, body: { error } });

const holdBody = z.object({ what: z.string(), state: z.enum(["drain", "down"]) });
const forgetBody = z.object({ service: z.string() });
const drainHostBody = z.object({ undo: z.boolean().default(false) });
const releaseBody = z.object({ what: z.string() });

const ROUTES: Readonly<Record<string, Route>> = {
	"GET /v1/status": (view) => fine(view.status()),
	"GET /v1/services": (view) => fine(view.status().services),
	"GET /v1/listeners": (view) => fine(view.listeners()),
	"GET /v1/explain"(view, _body, query) {
		const asked = questionOf(query);
		if (!asked.ok) return wrong(400, `/v1/explain: ${asked.error}`);
		const explained = view.explain(asked.question);
		return explained.ok ? fine(explained.answer) : wrong(404, explained.message);
	},
	"GET /v1/timeline": (view) => fine(view.timeline()),
	"POST /v1/hold": hold,
	"POST /v1/release": release,
	"POST /v1/forget": forget,
	"POST /v1/drain-host": drainHost,
	"POST /v1/resync": (view) => {
		view.resync();
		return fine({});
	},
	async "POST /v1/reload"(view) {
		const problems = await view.reload();
		return { status: problems.length === 0 ? 200 : 422, body: { problems } };
	},
	async "GET /metrics"(view) {
		const { metricsText, METRICS_TYPE } = await import("./metrics.js");
		return { status: 200, body: await metricsText(view.status()), type: METRICS_TYPE };
	},
	"GET /healthz"(view) {
		const { sensor } = view.status();
		return sensor.state === "up" ? fine({ ok: true }) : { status: 503, body: { ok: false, sensor } };
	},
	"GET /readyz"(view) {
		const waiting = view.status().proxies.filter(({ state }) => state !== "applied" && state !== "observing");
		const proxies = waiting.map(({ name, state, why }) => ({ name, state, ...(why !== undefined && { why }) }));
		return { status: proxies.length === 0 ? 200 : 503, body: { ready: proxies.length === 0, proxies } };
	},
};

async function hold(view: DaemonView, body: unknown): Promise<Answer> {
	const asked = holdBody.safeParse(body);
	if (!asked.success) return wrong(400, 'needs {"what": text, "state": "drain" or "down"}');
	const { what, state } = asked.data;
	const meant = meantIn(view.status(), what);
	if (!meant.ok) return wrong(404, meant.message);
	const { warning } = await view.hold(meant.backends, state);
	return fine({ state, backends: meant.backends, ...(warning !== undefined && { warning }) });
}

async function release(view: DaemonView, body: unknown): Promise<Answer> {
	const asked = releaseBody.safeParse(body);
	if (!asked.success) return wrong(400, 'needs {"what": text}');
	const { what } = asked.data;
	const status = view.status();
	const meant = meantIn(status, what);
	if (!meant.ok) return wrong(404, meant.message);
	const held = new Set(status.holds.map(fullName));
	const backends = meant.backends.filter((backend) => held.has(fullName(backend)));
	if (backends.length === 0) return wrong(404, `${what} is not held (held: ${listed([...held])})`);
	const { warning } = await view.release(backends);
	return fine({ backends, ...(warning !== undefined && { warning }) });
}

async function forget(view: DaemonView, body: unknown): Promise<Answer> {
	const asked = forgetBody.safeParse(body);
	if (!asked.success) return wrong(400, 'needs {"service": text}');
	const { service } = asked.data;
	const forgotten = await view.forget(service);
	if (!forgotten.ok) return wrong(404, forgotten.message);
	return fine({ service, ...(forgotten.warning !== undefined && { warning: forgotten.warning }) });
}

async function drainHost(view: DaemonView, body: unknown = {}): Promise<Answer> {
	const asked = drainHostBody.safeParse(body);
	if (!asked.success) return wrong(400, 'needs {"undo": true or false}');
	const draining = !asked.data.undo;
	const drained = await view.drainHost(draining);
	if (!drained.ok) return wrong(409, drained.message);
	const { host, cluster, backends } = drained;
	return fine({ draining, host, cluster, backends });
}

/** Among the backends that there are, and those that are held and not there now: a hold waits for them. */
function meantIn({ services, holds }: DaemonStatus, what: string): Meant {
	const known = [
		...services.flatMap(({ name, backends }) => backends.map(({ id }) => ({ service: name, id }))),
		...holds.map(({ service, id }) => ({ service, id })),
	];
	return meantBy(
		what,
		services.map(({ name }) => name),
		[...new Map(known.map((backend) => [fullName(backend), backend])).values()],
	);
}

const fullName = ({ service, id }: BackendName) => `${service}/${id}`;

/** Answered by the status page alone: the page, and the files that it loads, which are the same for everybody. */
const FILES: readonly string[] = ["/page.css", "/page.js", "/icon.svg"];
const PAGE: readonly string[] = ["/", ...FILES];
const isFile = (path: string) => FILES.includes(path);
/** Answered for as long as the other side likes. */
const EVENTS = "/v1/events";

/**
 * An HTTP server that listens nowhere: connections are handed to it. One request each.
 *
 * @param webAt where it is open to browsers, so that it only tells and changes nothing; undefined: the control socket
 */
export function createApi(
	view: DaemonView,
	phases: Phases,
	{ followingMs }: Patience,
	webAt?: () => WebPlace | undefined,
): Server {
	const events = createEvents(view, followingMs);
	// anybody on this host may ask there, and again and again
	const inTurn: InTurn = webAt === undefined ? (work) => work() : createTurns();
	const server = createServer({ maxHeaderSize: MAX_HEADER }, async (request, response) => {
		phases.asked(request.socket);
		const refused = webAt === undefined ? undefined : refusalOf(request, webAt());
		const respond = async () => {
			// who is gone by now needs no answer
			if (request.socket.destroyed) return;
			if (refused === undefined && request.method === "GET" && pathOf(request) === EVENTS) {
				if (phases.streams(request.socket)) return events.follow(response, HEADERS);
				return send(response, wrong(503, "too many follow the events already (end one of them)"));
			}
			const given =
				refused ?? (await answer(view, request, webAt !== undefined).catch((error) => wrong(500, messageOf(error))));
			send(response, given);
			phases.answered(request.socket);
		};
		await (refused !== undefined || isFile(pathOf(request)) ? respond() : inTurn(respond));
	});
	// nobody is passed on to anywhere
	server.on("connect", (_request, socket) =>
		socket.end("HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\n\r\n"),
	);
	return server;
}

function send(response: ServerResponse, { status, body, type = "application/json", headers }: Answer): void {
	const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
	response.writeHead(status, {
		...HEADERS,
		...headers,
		"content-type": type,
		"content-length": Buffer.byteLength(text),
	});
	response.end(text);
}

const pathOf = (request: IncomingMessage): string => request.url?.split("?", 1)[0] ?? "";

async function answer(view: DaemonView, request: IncomingMessage, isWeb: boolean): Promise<Answer> {
	const path = pathOf(request);
	const asked = new URLSearchParams(request.url?.slice(path.length));
	if (isWeb && request.method === "GET" && PAGE.includes(path)) {
		const { pageAnswer } = await import("./page/answer.js");
		return pageAnswer(path, view, asked);
	}
	const route = Object.hasOwn(ROUTES, `${request.method} ${path}`) ? ROUTES[`${request.method} ${path}`] : undefined;
	if (route === undefined) {
		const allowed = ["GET", "POST"].filter((method) => Object.hasOwn(ROUTES, `${method} ${path}`));
		const known = [...Object.keys(ROUTES), `GET ${EVENTS}`];
		return allowed.length > 0
			? wrong(405, `${path} takes ${allowed.join(" or ")}`)
			: wrong(404, `nothing is at ${printable(path)} (there are: ${known.join(", ")})`);
	}
	if (request.method === "GET") return route(view, undefined, asked);
	const text = await bodyOf(request);
	if (text === undefined) return wrong(413, `the body is longer than ${MAX_BODY} bytes`);
	try {
		return await route(view, text === "" ? undefined : JSON.parse(text), asked);
	} catch (error) {
		if (error instanceof SyntaxError) return wrong(400, `the body is not JSON: ${error.message}`);
		throw error;
	}
}

/** Undefined when it is too long; then the rest is not read. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of request) {
		const bytes: Buffer = chunk;
		length += bytes.length;
		if (length > MAX_BODY) return undefined;
		chunks.push(bytes);
	}
	return Buffer.concat(chunks).toString("utf8");
}
