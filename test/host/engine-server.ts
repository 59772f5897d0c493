/**
 * A container engine that is none: it serves Docker's Engine API over a unix socket from what the test says runs, with
 * answers as Docker 20.10 gives them, and goes wrong as told. Knows nothing of who asks.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { tempFolder } from "./temp-folder.js";

export interface FakeContainer {
	readonly id: string;
	readonly name: string;
	readonly labels?: unknown;
	readonly env?: readonly string[];
	/** Published at each start: port of the container → port of the host. */
	readonly publish?: Readonly<Record<number, number>>;
	readonly stopSignal?: string;
}

/** How a request is answered: as it should be, or how not. */
export type Manner =
	| "well"
	/** Accepted, and never answered. */
	| "hang"
	/** The connection ends in the middle of the answer. */
	| "truncate"
	/** JSON, of something else. */
	| "nonsense"
	/** No JSON, no text. */
	| "garbage"
	/** More than anybody wants to read. */
	| "endless"
	| "404"
	| "500";

export interface EngineServer extends AsyncDisposable {
	readonly socket: string;
	/** Paths that were asked for, without their queries, in order. */
	readonly requests: readonly string[];
	/** How many requests there were for the list, for inspects of one or any container, or for events. */
	count(what: "list" | "inspect" | "events", id?: string): number;
	/** Adds one, with its event. */
	create(container: FakeContainer): void;
	/** Lets one run; with its events unless they are to be `lost`. */
	start(container: FakeContainer, how?: "told" | "lost"): void;
	/** The event of a start that was `lost`. */
	tellStart(id: string): void;
	/** Ends one. */
	die(id: string, how?: "told" | "lost"): void;
	rename(id: string, name: string): void;
	/** Only the event. */
	connect(id: string): void;
	/** A line to all who follow the events. */
	send(line: string): void;
	/** From now on: requests whose path contains `path` are answered so. */
	answer(path: string, manner: Manner): void;
	/** Holds answers to such requests back, until the function that it returns is called. They are made at once. */
	hold(path: string): () => void;
	/** How many follow the events now. */
	followers(): number;
	/** Ends the streams of events. */
	hangUp(): void;
	/** Goes away, with its socket and all connections. */
	stop(): Promise<void>;
	/** Comes (back). */
	listen(): Promise<void>;
	close(): Promise<void>;
}

/** An id as engines have them, of a name that reads well. */
export const idOf = (name: string) => createHash("sha256").update(name).digest("hex");

/** Starts one that has no containers, and listens unless told otherwise. */
export async function openEngineServer({ isThere = true } = {}): Promise<EngineServer> {
	const folder = await tempFolder("solistend-engine");
	const socket = join(folder.path, "engine.sock");
	const requests: string[] = [];
	const containers = new Map<string, { container: FakeContainer; startedAt: string | undefined }>();
	const streams = new Set<ServerResponse>();
	const manners = new Map<string, Manner>();
	const held = new Map<string, (() => void)[]>();
	let server: Server | undefined;

	const send = (line: string) => {
		for (const stream of streams) stream.write(`${line}\n`);
	};
	const tell = (Type: string, Action: string, id: string) => {
		const { name = "", labels } = containers.get(id)?.container ?? {};
		const Attributes =
			Type === "network"
				? { container: id, name: "bridge", type: "bridge" }
				: { image: "busybox", name, ...(typeof labels === "object" && labels) };
		const ID = Type === "network" ? idOf("network bridge") : id;
		const timeNano = Date.now() * 1e6;
		send(JSON.stringify({ Type, Action, Actor: { ID, Attributes }, scope: "local", time: timeNano / 1e9, timeNano }));
	};

	const listAnswer = () =>
		[...containers.values()].flatMap(({ container, startedAt }) => (startedAt === undefined ? [] : [row(container)]));

	const respond = (path: string, response: ServerResponse) => {
		response.setHeader("Server", "Docker/20.10.24 (linux)");
		if (path === "/events") {
			streams.add(response);
			response.on("close", () => streams.delete(response));
			response.flushHeaders();
			return;
		}
		if (path === "/version") return response.end(JSON.stringify({ Version: "20.10.24" }));
		if (path === "/containers/json") return response.end(JSON.stringify(listAnswer()));
		const found = containers.get(/^\/containers\/([0-9a-f]+)\/json$/.exec(path)?.[1] ?? "");
		if (found === undefined) return notFound(response);
		return response.end(JSON.stringify(details(found.container, found.startedAt)));
	};

	const open = () =>
		createServer((request, response) => {
			const path = (request.url ?? "").replace(/\?.*/, "");
			requests.push(path);
			const [, manner = "well"] = [...manners].reverse().find(([part]) => path.includes(part)) ?? [];
			if (manner !== "well") return misanswer(manner, response);
			const [, waiting] = [...held].find(([part]) => path.includes(part)) ?? [];
			if (waiting === undefined) return respond(path, response);
			// What is told is the state of now.
			const end = response.end.bind(response);
			response.end = (text?: unknown) => {
				waiting.push(() => end(text));
				return response;
			};
			return respond(path, response);
		});

	const listen = async () => {
		server = open();
		server.listen(socket);
		await once(server, "listening");
	};
	const stop = async () => {
		if (server === undefined) return;
		const closed = once(server, "close");
		server.close();
		server.closeAllConnections();
		await closed;
		server = undefined;
		await rm(socket, { force: true });
	};
	if (isThere) await listen();
	const close = async () => {
		await stop();
		await folder.close();
	};

	return {
		socket,
		requests,
		count: (what, id) =>
			requests.filter((path) => {
				if (what === "events") return path === "/events";
				if (what === "list") return path === "/containers/json";
				return id === undefined ? /^\/containers\/.+\/json$/.test(path) : path === `/containers/${id}/json`;
			}).length,
		create(container) {
			containers.set(container.id, { container, startedAt: undefined });
			tell("container", "create", container.id);
		},
		start(container, how = "told") {
			if (how === "told") tell("network", "connect", container.id);
			containers.set(container.id, { container, startedAt: new Date().toISOString() });
			if (how === "told") tell("container", "start", container.id);
		},
		tellStart: (id) => tell("container", "start", id),
		die(id, how = "told") {
			const found = containers.get(id);
			if (found !== undefined) found.startedAt = undefined;
			if (how === "told") tell("container", "die", id);
		},
		rename(id, name) {
			const found = containers.get(id);
			if (found !== undefined) found.container = { ...found.container, name };
			tell("container", "rename", id);
		},
		connect: (id) => tell("network", "connect", id),
		send,
		answer(path, manner) {
			manners.delete(path);
			manners.set(path, manner);
		},
		hold(path) {
			const waiting: (() => void)[] = [];
			held.set(path, waiting);
			return () => {
				held.delete(path);
				for (const release of waiting) release();
			};
		},
		followers: () => streams.size,
		hangUp() {
			for (const stream of streams) stream.destroy();
		},
		stop,
		listen,
		close,
		[Symbol.asyncDispose]: close,
	};
}

function notFound(response: ServerResponse): void {
	response.statusCode = 404;
	response.end(JSON.stringify({ message: "No such container" }));
}

function misanswer(manner: Exclude<Manner, "well">, response: ServerResponse): void {
	switch (manner) {
		case "hang":
			return;
		case "truncate":
			response.setHeader("Content-Length", 1000);
			response.write('[{"Id":"', () => response.destroy());
			return;
		case "nonsense":
			response.end(JSON.stringify({ Id: 7, Names: null, Config: [], Labels: "none" }));
			return;
		case "garbage":
			response.end(Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0xc3, 0x28]));
			return;
		case "endless": {
			const more = () => {
				while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, " ")));
			};
			response.on("drain", more);
			more();
			return;
		}
		case "404":
			notFound(response);
			return;
		case "500":
			response.statusCode = 500;
			response.end(JSON.stringify({ message: "something went wrong" }));
			return;
		default:
			manner satisfies never;
	}
}

function row({ id, name, labels = {}, publish = {} }: FakeContainer) {
	return {
		Id: id,
		Names: [`/${name}`],
		Image: "busybox",
		Ports: Object.entries(publish).map(([port, hostPort]) => ({
			IP: "0.0.0.0",
			PrivatePort: Number(port),
			PublicPort: hostPort,
			Type: "tcp",
		})),
		Labels: labels,
		State: "running",
	};
}

function details({ id, name, labels = {}, env = [], publish = {}, stopSignal }: FakeContainer, startedAt?: string) {
	const ports = Object.entries(publish).map(([port, hostPort]) => [`${port}/tcp`, hostPort] as const);
	const bindings = (address: string) =>
		Object.fromEntries(ports.map(([key, hostPort]) => [key, [{ HostIp: address, HostPort: String(hostPort) }]]));
	return {
		Id: id,
		Name: `/${name}`,
		State: { Running: startedAt !== undefined, StartedAt: startedAt ?? "0001-01-01T00:00:00Z" },
		HostConfig: { PortBindings: bindings(""), PublishAllPorts: false },
		Config: {
			Image: "busybox",
			Labels: labels,
			Env: ["PATH=/bin", ...env],
			Volumes: null,
			...(ports.length > 0 && { ExposedPorts: Object.fromEntries(ports.map(([key]) => [key, {}])) }),
			...(stopSignal !== undefined && { StopSignal: stopSignal }),
		},
		NetworkSettings: { Ports: startedAt === undefined ? {} : bindings("0.0.0.0") },
	};
}
