/**
 * A web application that a test leads step by step: it takes stop signals and goes on, stops listening when it is told
 * to, and answers `/long` when it is told to. All else is answered at once with `hello from NAME`.
 */

import { readFileSync } from "node:fs";
import { eventually } from "./eventually.js";
import { enter, type Netns } from "./netns.js";
import { kill, startProcess } from "./process.js";

export interface ApplicationOptions {
	readonly name: string;
	/** Default: the host's namespace. */
	readonly netns?: Netns;
	readonly port?: number;
	/** Default: all IPv4 addresses. */
	readonly address?: string;
	/** With `::`: not by IPv4. */
	readonly ipv6Only?: boolean;
	/** Starts it as the child of a first process in a pid namespace, as a shell script in a container does. */
	readonly inContainer?: boolean;
	/** Command words that run what follows them somewhere, such as those of a cgroup. */
	readonly within?: readonly string[];
}

/** What it can be told; `finish` closes right after the next answer, so that no connection is cut off. */
export type Word = "listen" | "close" | "finish" | "answer";

export interface Application extends AsyncDisposable {
	readonly name: string;
	/** Of its process; with `inContainer` of the first one there. */
	readonly pid: number;
	/** Resolves when it has done it; `finish` at once. */
	tell(word: Word): Promise<void>;
	/** Sends a signal and waits until it was handled. */
	signal(name: "SIGTERM" | "SIGQUIT"): Promise<void>;
	/** Resolves when a request to `/long` waits for its answer. */
	asked(): Promise<void>;
	/** Kills it. */
	close(): Promise<void>;
}

const SCRIPT = `
const { createServer } = require("node:http");
const [, name, port, host, family] = process.argv;
const waiting = [];
let isLast = false;
const server = createServer((request, response) => {
	const answer = () => response.end("hello from " + name + "\\n");
	if (isLast) response.once("finish", words.close);
	if (request.url !== "/long") return answer();
	waiting.push(answer);
	console.log("asked");
});
const words = {
	listen() {
		isLast = false;
		server.listen({ port, host, ipv6Only: family === "6" }, () => console.log("listen"));
	},
	close() {
		server.close();
		console.log("close");
	},
	finish() {
		isLast = true;
		console.log("finish");
	},
	answer() {
		for (const answer of waiting.splice(0)) answer();
		console.log("answer");
	},
};
for (const signal of ["SIGTERM", "SIGQUIT"]) process.on(signal, () => console.log(signal));
require("node:readline").createInterface({ input: process.stdin }).on("line", (word) => words[word]());
`;

/** The first process of a container: takes signals, and keeps them from its child. */
const CONTAINER = [
	...["unshare", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c"],
	'for name in TERM QUIT; do trap "echo SIG$name" $name; done; exec 3<&0; "$@" <&3 & until wait; do :; done',
	"sh",
];

/** Starts it. Resolves when it listens. */
export async function startApplication(options: ApplicationOptions): Promise<Application> {
	const { name, netns, port = 80, address = "0.0.0.0", ipv6Only = false, inContainer = false, within = [] } = options;
	const said: string[] = [];
	const command = [process.execPath, "-e", SCRIPT, name, String(port), address, ipv6Only ? "6" : "46"];
	const started = startProcess([...within, ...enter(netns), ...(inContainer ? CONTAINER : []), ...command], {
		stdin: true,
		onLine: (line, stream) => stream === "stdout" && said.push(line),
	});
	const ended = new AbortController();
	started.exited.then(() => ended.abort(new Error(`${name} ended:\n${started.lastLines()}`)));
	const count = (line: string) => said.filter((other) => other === line).length;
	const after = async (line: string, act: () => void) => {
		const before = count(line);
		act();
		await eventually(`${name} says ${line}`, () => count(line) > before, { signal: ended.signal });
	};
	const tell = (word: Word) => after(word, () => started.write(`${word}\n`));
	const close = () => started.close(0);
	try {
		await tell("listen");
		const pid = inContainer ? firstChild(started.pid) : started.pid;
		return {
			name,
			pid,
			tell,
			signal: (wanted) => after(wanted, () => kill(pid, wanted)),
			asked: async () => {
				await eventually(`${name} is asked`, () => count("asked") > 0, { signal: ended.signal });
			},
			close,
			[Symbol.asyncDispose]: close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

/** The first child of a process, as the host numbers it. */
export function firstChild(pid: number): number {
	const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
	if (child === undefined || child === "") throw new Error(`process ${pid} has no child`);
	return Number(child);
}
