/**
 * A web application that listens before it can serve: it answers everything with 503 until a test tells it another
 * status, and notes who asked for what. Knows nothing of who connects to it.
 */

import { eventually } from "./eventually.js";
import { enter, type Netns } from "./netns.js";
import { startProcess } from "./process.js";

export interface BootingOptions {
	readonly name: string;
	/** Default: the host's namespace. */
	readonly netns?: Netns;
	readonly port?: number;
	/** What it answers from the start; default 503. */
	readonly status?: number;
}

/** A request as it came. */
export interface Asked {
	readonly path: string;
	readonly host: string;
	readonly agent: string;
}

export interface Booting extends AsyncDisposable {
	readonly name: string;
	/** All requests so far. */
	readonly asked: readonly Asked[];
	/** Connections so far, with a request or without. */
	readonly connections: number;
	/** Answers with this from now on. */
	answer(status: number): Promise<void>;
	listen(): Promise<void>;
	/** Listens no more. */
	stop(): Promise<void>;
	/** Kills it. */
	close(): Promise<void>;
}

const SCRIPT = `
const { createServer } = require("node:http");
let [, name, port, status] = process.argv;
const say = (what) => console.log(JSON.stringify(what));
const server = createServer((request, response) => {
	const { host = "", "user-agent": agent = "" } = request.headers;
	say({ path: request.url, host, agent });
	response.writeHead(Number(status), { connection: "close" });
	response.end(status === "200" ? "hello from " + name + "\\n" : "not yet\\n");
});
server.on("connection", () => say("connection"));
const words = {
	listen: () => server.listen(port, "0.0.0.0", () => say("listen")),
	stop: () => {
		server.close();
		say("stop");
	},
	answer: (next) => {
		status = next;
		say("answer");
	},
};
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
	const [word, value] = line.split(" ");
	words[word](value);
});
say("started");
`;

/** Starts it. Resolves when it listens. */
export async function startBooting({ name, netns, port = 80, status = 503 }: BootingOptions): Promise<Booting> {
	const asked: Asked[] = [];
	const said: string[] = [];
	const command = [process.execPath, "-e", SCRIPT, name, String(port), String(status)];
	const started = startProcess([...enter(netns), ...command], {
		stdin: true,
		onLine(line, stream) {
			if (stream !== "stdout") return;
			const what: unknown = JSON.parse(line);
			if (typeof what === "string") said.push(what);
			else if (isAsked(what)) asked.push(what);
		},
	});
	const ended = new AbortController();
	started.exited.then(() => ended.abort(new Error(`${name} ended:\n${started.lastLines()}`)));
	const count = (word: string) => said.filter((other) => other === word).length;
	const tell = async (word: "listen" | "stop" | "answer", value = "") => {
		const before = count(word);
		started.write(`${word} ${value}\n`);
		await eventually(`${name} says ${word}`, () => count(word) > before, { everyMs: 2, signal: ended.signal });
	};
	const close = () => started.close(0);
	try {
		await tell("listen");
	} catch (error) {
		await close();
		throw error;
	}
	return {
		name,
		asked,
		get connections() {
			return count("connection");
		},
		answer: (next) => tell("answer", String(next)),
		listen: () => tell("listen"),
		stop: () => tell("stop"),
		close,
		[Symbol.asyncDispose]: close,
	};
}

function isAsked(what: unknown): what is Asked {
	return typeof what === "object" && what !== null && "path" in what && "host" in what && "agent" in what;
}
