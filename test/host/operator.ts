/**
 * An edge as its operator sees it: applications that serve, who answers, HAProxy's runtime socket, and what the daemon
 * says of a backend.
 */

import { execa } from "execa";
import { z } from "zod";
import { ask } from "../../src/cli/ask.js";
import { askSocket, parseServersState } from "../../src/proxies/haproxy/runtime-api.js";
import { type Application, type ApplicationOptions, startApplication } from "./application.js";
import { type Daemon, solistend } from "./daemon.js";
import { type Edge, joined } from "./edge.js";
import { eventually } from "./eventually.js";
import { ask as request } from "./http.js";
import type { ConnectedNetns } from "./netns.js";

/** An application that is a backend. */
export interface Served extends Application {
	/** `address:port`. */
	readonly id: string;
	readonly netns: ConnectedNetns;
}

/** Starts an application in a namespace of its own; resolves when it has joined a service. */
export async function serve(
	edge: Edge,
	daemon: Daemon,
	name: string,
	{ service = "web", ...options }: Partial<ApplicationOptions> & { readonly service?: string } = {},
): Promise<Served> {
	const netns = await edge.segment.addNetns(name);
	const application = edge.owned.own(await startApplication({ name, netns, ...options }));
	const id = `${netns.address}:${options.port ?? 80}`;
	await joined(daemon, `${service}/${id}`);
	return { ...application, id, netns };
}

/** Waits until new requests are answered by these alone. */
export async function answersAre(edge: Edge, ...names: string[]): Promise<void> {
	await eventually(`${names} answer`, async () => {
		const bodies = new Set<string>();
		for (let asked = 0; asked < 3 * names.length; asked++) bodies.add((await request(edge.url)).body);
		return [...bodies].sort().join("") === names.map((name) => `hello from ${name}\n`).join("");
	});
}

/** Runs commands in the running HAProxy. @throws Error when it does not answer */
export async function runtime({ runtimeSocket: socket }: Edge, command: string): Promise<string> {
	const signal = AbortSignal.timeout(5000);
	const answer = await askSocket({ socket, command, timeoutMs: 5000, signal, openEnd: true });
	if (!answer.ok) throw new Error(answer.why);
	return answer.text;
}

/** A server of HAProxy's, by what may be sent to it. */
export interface Server {
	/** `backend/name`. */
	readonly name: string;
	/** `address:port`. */
	readonly address: string;
	readonly admin: "ready" | "drain" | "maint";
	readonly weight: number;
}

/** Bits of `srv_admin_state`: maintenance and drain. That the file had it disabled is another bit, which stays. */
const MAINT = 0x01;
const DRAIN = 0x08;

/** All that HAProxy has. */
export async function serversOf(edge: Edge): Promise<Server[]> {
	return parseServersState(await runtime(edge, "show servers state")).map((row) => ({
		name: `${row.backend}/${row.server}`,
		address: `${row.address}:${row.port}`,
		admin: (row.admin & MAINT) !== 0 ? "maint" : (row.admin & DRAIN) !== 0 ? "drain" : "ready",
		weight: row.weight,
	}));
}

/** The server with an address. @throws Error when there is none */
export async function serverAt(edge: Edge, address: string): Promise<Server> {
	const server = (await serversOf(edge)).find((other) => other.address === address);
	if (server === undefined) throw new Error(`HAProxy has no server at ${address}`);
	return server;
}

/** Waits until HAProxy has the server in a state. */
export async function untilAdmin(edge: Edge, address: string, admin: Server["admin"]): Promise<void> {
	await eventually(`HAProxy has ${address} in ${admin}`, async () => (await serverAt(edge, address)).admin === admin);
}

const backend = z.object({ id: z.string(), state: z.string(), held: z.boolean(), reason: z.string() });
const status = z.object({ services: z.array(z.object({ backends: z.array(backend) })) });

export type Told = z.output<typeof backend>;

/** What the daemon says of a backend, of whichever service; undefined when it has none. */
export async function toldOf({ socket }: Edge, id: string): Promise<Told | undefined> {
	const { body } = await ask(socket, "GET", "/v1/status");
	const { services } = status.parse(body);
	return services.flatMap(({ backends }) => backends).find((other) => other.id === id);
}

/** Waits until it says this of it. */
export async function untilTold(
	edge: Edge,
	id: string,
	state: string,
	reason: RegExp,
	timeoutMs?: number,
): Promise<void> {
	await eventually(
		`${id} is ${state}: ${reason.source}`,
		async () => {
			const told = await toldOf(edge, id);
			return told?.state === state && reason.test(told.reason);
		},
		timeoutMs === undefined ? {} : { timeoutMs },
	);
}

export async function resync({ socket }: Edge): Promise<void> {
	await ask(socket, "POST", "/v1/resync");
}

/** A command of solistend's for the edge's daemon, as a person runs it. @returns what it printed */
export async function operate({ config }: Edge, ...words: string[]): Promise<string> {
	const [program, ...rest] = solistend(...words, "--config", config);
	return (await execa(program, rest, { env: { NO_COLOR: "1" } })).stdout;
}
