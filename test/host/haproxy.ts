/** Starts a real HAProxy in master-worker mode for a test, and ends it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { askProcesses } from "../../src/proxies/haproxy/master.js";
import { eventually } from "./eventually.js";
import { enter, type Netns } from "./netns.js";
import { HAPROXY } from "./programs.js";

export interface HaproxyOptions {
	/** Holds the master socket. */
	readonly dir: string;
	/** In the order of `-f`; folders, too. */
	readonly configFiles: readonly string[];
	readonly signal?: AbortSignal;
	/** What the master socket may be used for; default: all. */
	readonly masterLevel?: "operator" | "user";
	/** Default: the one that the tests run. */
	readonly program?: string;
	/** Default: the host's namespace. */
	readonly netns?: Netns | undefined;
}

export interface Haproxy {
	/** The master. */
	readonly pid: number;
	readonly masterSocket: string;
	/** The first `stats socket` of the configuration files. */
	readonly runtimeSocket?: string;
	/** What it wrote on stderr so far. */
	readonly log: () => string;
	/** Resolves when master and workers have ended. */
	stop(): Promise<void>;
}

const STOP_GRACE_MS = 5000;

/** Resolves when the workers serve; rejects with HAProxy's own words when it does not start. */
export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
	const { dir, configFiles, signal, masterLevel, program = HAPROXY, netns } = options;
	// A folder has no text; of a file that is missing HAProxy says so itself.
	const texts = await Promise.all(configFiles.map((file) => readFile(file, "utf8").catch(() => "")));
	const runtimeSocket = /^\s*stats socket (\S+)/m.exec(texts.join("\n"))?.[1];
	const masterSocket = join(dir, "master.sock");
	const bind = masterLevel === undefined ? masterSocket : `${masterSocket},level,${masterLevel}`;
	const args = ["-W", "-S", bind, ...configFiles.flatMap((file) => ["-f", file])];
	// The kernel ends it with this process, also where that one crashes.
	const words = ["--pdeathsig", "KILL", "--", ...enter(netns), program, ...args];
	const child = spawn("setpriv", words, { stdio: ["ignore", "ignore", "pipe"] });
	const killOnExit = () => child.kill("SIGKILL");
	process.once("exit", killOnExit);
	let log = "";
	let ended = false;
	const exited = once(child, "exit").finally(() => {
		ended = true;
		process.off("exit", killOnExit);
	});
	exited.catch(() => {});

	const stop = async () => {
		if (ended) return;
		child.kill("SIGTERM");
		const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
		await exited;
		clearTimeout(timer);
	};
	signal?.addEventListener("abort", () => void stop(), { once: true });

	await new Promise<void>((resolve, reject) => {
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			log += text;
			if (log.includes("Loading success.")) resolve();
		});
		child.once("error", reject);
		child.once("exit", (code) => reject(new Error(`haproxy ended with ${code}:\n${log}`)));
	});
	const { pid } = child;
	if (pid === undefined) throw new Error("haproxy has no pid");
	// A signal that comes before the master answers is lost.
	const question = { socket: masterSocket, timeoutMs: 5000, signal: new AbortController().signal };
	try {
		await eventually("the master answers", async () => (await askProcesses(question)).ok, { everyMs: 2 });
	} catch (error) {
		await stop();
		throw error;
	}
	return { pid, masterSocket, ...(runtimeSocket !== undefined && { runtimeSocket }), log: () => log, stop };
}
