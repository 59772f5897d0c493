/**
 * Real redis-servers for tests: each with a folder of its own, on a unix socket in it (and on a TCP port, where asked), and
 * everything that can happen to one. Knows nothing of what is kept in them.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { eventually } from "./eventually.js";
import { enter, type Netns } from "./netns.js";
import { type Process, startProcess } from "./process.js";
import { REDIS } from "./programs.js";
import { tempFolder } from "./temp-folder.js";

export interface RedisOptions {
	/** Lines of redis.conf, after those that are always there: what is saved, for one, is nothing unless told here. */
	readonly config?: readonly string[];
	/** Also listens there; default: on the unix socket alone. */
	readonly port?: number;
	/** Where it listens with `port`; default: 127.0.0.1. */
	readonly bind?: string;
	/** Default: the host's namespace. Its unix socket is reached from everywhere. */
	readonly netns?: Netns | undefined;
	/** Added to its environment. */
	readonly env?: Readonly<Record<string, string>>;
	/** Runs as a Sentinel. */
	readonly sentinel?: boolean;
}

export interface RedisUser {
	readonly username: string;
	readonly password: string;
}

export interface RedisServer extends AsyncDisposable {
	/** Its unix socket, and the URL of that. */
	readonly socket: string;
	readonly url: string;
	/** Its folder: the database is in dump.rdb there. */
	readonly dir: string;
	/** Of the process that runs, or ran last. */
	readonly pid: number;
	/**
	 * What redis-cli prints for a command, one reply a line.
	 * @throws Error with the server's word when that is an error
	 */
	cli(...words: readonly string[]): Promise<string>;
	/** The same, as a user. */
	cliAs(user: RedisUser, ...words: readonly string[]): Promise<string>;
	/** Stops it in its tracks: connections stay, and nothing is answered. */
	pause(): void;
	resume(): void;
	/** SIGKILL, as a crash: what it did not save is lost. Resolves when it has ended. */
	kill(): Promise<void>;
	/** Runs it again on the same folder, once it has ended; resolves when it answers. */
	start(): Promise<void>;
	/** Ends it and removes its folder. */
	close(): Promise<void>;
}

/** Resolves when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
	const { port = 0, bind = "127.0.0.1", netns, sentinel = false, env } = options;
	const folder = await tempFolder("solistend-redis");
	const dir = folder.path;
	const socket = join(dir, "redis.sock");
	const configFile = join(dir, "redis.conf");
	const lines = [
		`port ${port}`,
		`bind ${bind}`,
		`unixsocket ${socket}`,
		"unixsocketperm 777",
		`dir ${dir}`,
		...(sentinel ? [] : ['save ""', "appendonly no"]),
		...(options.config ?? []),
	];
	await writeFile(configFile, `${lines.join("\n")}\n`);
	let running: Process | undefined;
	let pid = 0;

	const ask = async (words: readonly string[], env: Record<string, string> = {}) => {
		const { stdout } = await execa("redis-cli", ["-e", "-s", socket, ...words], { env, stdin: "ignore" }).catch(
			(error: { stdout?: string; stderr?: string; message: string }) => {
				throw new Error([error.stdout, error.stderr].filter(Boolean).join("\n") || error.message, { cause: error });
			},
		);
		return stdout;
	};
	const start = async () => {
		const words = [REDIS, configFile, ...(sentinel ? ["--sentinel"] : [])];
		const child = startProcess([...enter(netns), ...words], { ...(env !== undefined && { env }) });
		running = child;
		pid = child.pid;
		let ended = false;
		void child.exited.then(() => {
			ended = true;
		});
		const answers = async () => {
			if (ended) return "ended" as const;
			const word = await ask(["PING"]).catch((error: Error) => error.message);
			// Who may not ask is answered too; one that reads its database does not serve yet.
			return /PONG|NOAUTH/.test(word) ? ("serves" as const) : undefined;
		};
		if ((await eventually("redis-server serves", answers)) === "ended") {
			throw new Error(`redis-server ended at once: ${child.lastLines()}`);
		}
	};
	const kill = async () => {
		running?.signal("SIGKILL");
		await running?.exited;
		running = undefined;
	};
	const close = async () => {
		await kill();
		await folder.close();
	};
	await start().catch(async (error: unknown) => {
		await close();
		throw error;
	});

	return {
		socket,
		url: `unix://${socket}`,
		dir,
		get pid() {
			return pid;
		},
		cli: (...words) => ask(words),
		cliAs: ({ username, password }, ...words) =>
			ask(["--user", username, "--no-auth-warning", ...words], { REDISCLI_AUTH: password }),
		pause: () => void running?.signal("SIGSTOP"),
		resume: () => void running?.signal("SIGCONT"),
		kill,
		start,
		close,
		[Symbol.asyncDispose]: close,
	};
}
