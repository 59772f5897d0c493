/**
 * Connections to Redis, by the configuration: one server, Sentinels, or a Cluster; they come back by themselves, with the
 * password and the files of TLS read anew each time. The only file that knows ioredis, which is loaded with it. Knows
 * nothing of what is kept in Redis.
 */

import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { Cluster, type CommonRedisOptions, Redis } from "ioredis";
import { messageOf } from "../../errors.js";
import { reconnectDelayMs } from "./backoff.js";
import type { Script } from "./script.js";
import { type RedisConfig, type RedisTls, redisPlace, redisTrouble, speaksTls } from "./trouble.js";

/** A command's name, in lower case, and its arguments. */
export type Command = readonly [name: string, ...args: (string | number)[]];

/** A connection for `blocking` commands waits for them as long as they say; nothing else can be asked on it meanwhile. */
export type Purpose = "commands" | "blocking";

export interface LinkOptions {
	readonly purpose: Purpose;
	/** Of the host, in milliseconds: it is back well within it. Default: none to be kept. */
	readonly lease?: number;
	/** Connected; whether Redis does what it is told is another matter. */
	onUp?(): void;
	/** The connection is lost, or could not be made: told each time, `why` as a clause with its mend. */
	onDown?(why: string): void;
}

/** One connection that is made again whenever it is lost. What is asked meanwhile fails at once: nothing waits here. */
export interface Link {
	readonly isUp: boolean;
	/** The address of this host on it; undefined over a unix socket, and while not connected. */
	localAddress(): string | undefined;
	/** @throws what `why` has words for */
	send(command: Command): Promise<unknown>;
	run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
	/** Why something failed, as a clause with its mend. */
	why(error: unknown): string;
	/**
	 * Gives the connection up and makes another, since the server turns out to be a replica by now; not again for a while:
	 * whoever asks sooner stays with what there is.
	 * @param why what `onDown` is told
	 */
	reset(why: string): void;
	close(): void;
}

/** Milliseconds within which a server must take a connection, and answer what does not block. */
export const CONNECT_TIMEOUT_MS = 2000;
export const COMMAND_TIMEOUT_MS = 2000;
/** A connection on which something is due and nothing comes for so long is dead. Blocking commands must be shorter. */
export const SILENCE_MS = { commands: 3000, blocking: 5000 } as const satisfies Record<Purpose, number>;

/** A connection is given up for another on request no more often than this, or than four times within a lease. */
const RESET_EVERY_MS = 5000;

/** What an ioredis client says when asked while not connected: its last error says more. */
const NOT_CONNECTED = /enableOfflineQueue|^Connection is closed|aborted due to connection close|^None of startup nodes/;

/** Opens a connection; it is not made yet when this returns. */
export function openLink(config: RedisConfig, { purpose, lease, onUp, onDown }: LinkOptions): Link {
	let client: Redis | Cluster | undefined;
	let timer: NodeJS.Timeout | undefined;
	let failures = 0;
	let closed = false;
	let isUp = false;
	let resetMs = Number.NEGATIVE_INFINITY;
	let lastWhy = `not connected to ${redisPlace(config)} yet (does Redis run there? see fleet.redis)`;

	const why = (error: unknown) =>
		NOT_CONNECTED.test(messageOf(error)) && !isUp ? lastWhy : redisTrouble(error, config);

	const lost = () => {
		client = undefined;
		isUp = false;
		if (closed) return;
		onDown?.(lastWhy);
		failures++;
		timer = setTimeout(connect, reconnectDelayMs(failures, Math.random(), lease));
	};
	/** The last error of a client that says what is the matter, and not only that it is not connected. */
	const told = (error: unknown) => {
		const cause = lastNodeError(error) ?? error;
		if (!NOT_CONNECTED.test(messageOf(cause))) lastWhy = redisTrouble(cause, config);
	};
	const connect = () => {
		let made: Redis | Cluster;
		try {
			made = createClient(config, purpose);
		} catch (error) {
			// A file that can't be read: the next attempt looks again.
			lastWhy = messageOf(error);
			return lost();
		}
		client = made;
		made.on("error", told);
		// Of a Cluster, the words of its nodes say more than its own.
		made.on("node error", told);
		made.once("ready", () => {
			if (client !== made) return;
			isUp = true;
			failures = 0;
			lastWhy = "Redis closed the connection";
			onUp?.();
		});
		made.once("end", () => {
			if (client === made) lost();
		});
		// What it rejects with was told as an error, too.
		made.connect().catch(() => {});
	};
	const connected = (): Redis | Cluster => {
		if (client === undefined) throw new Error("Connection is closed.");
		return client;
	};
	// Not before the caller has what it needs for `onDown`.
	timer = setTimeout(connect, 0);

	return {
		get isUp() {
			return isUp;
		},
		localAddress: () => (client === undefined ? undefined : localAddressOf(client)),
		send: async ([name, ...args]) => connected().call(name, ...args),
		async run({ text, sha1 }, keys, args) {
			const rest = [keys.length, ...keys, ...args];
			try {
				return await connected()
					.call("evalsha", sha1, ...rest)
					.catch((error: unknown) => {
						if (!messageOf(error).includes("NOSCRIPT")) throw error;
						return connected().call("eval", text, ...rest);
					});
			} catch (error) {
				throw namingCommand(error, text);
			}
		},
		why,
		reset(why) {
			const nowMs = performance.now();
			if (!isUp || nowMs - resetMs < Math.min(RESET_EVERY_MS, (lease ?? Number.POSITIVE_INFINITY) / 4)) return;
			resetMs = nowMs;
			lastWhy = why;
			client?.disconnect();
		},
		close() {
			closed = true;
			clearTimeout(timer);
			const last = client;
			// Redis may still answer what is on its way, and be ready then: that is nobody's any more.
			client = undefined;
			isUp = false;
			last?.disconnect();
		},
	};
}

/** What a missing right within a script is told without: the command. Redis tells the line. */
function namingCommand(error: unknown, text: string): unknown {
	const [, line] =
		/can't run this command.*@user_script: ?(\d+)|@user_script: ?(\d+).*can't run this command/s
			.exec(messageOf(error))
			?.filter((part) => part !== undefined) ?? [];
	const [, command] = /redis\.p?call\(["'](\w+)["']/.exec(text.split("\n")[Number(line) - 1] ?? "") ?? [];
	return command === undefined ? error : new Error(`no permissions to run the '${command.toLowerCase()}' command`);
}

/** Of a Cluster, on the connection to any of its nodes. */
function localAddressOf(client: Redis | Cluster): string | undefined {
	for (const { stream } of client instanceof Cluster ? client.nodes() : [client]) {
		if (stream instanceof Socket && stream.localAddress !== undefined) return stream.localAddress;
	}
	return;
}

const lastNodeError = (error: unknown): unknown =>
	error instanceof Error && "lastNodeError" in error ? error.lastNodeError : undefined;

function createClient(config: RedisConfig, purpose: Purpose): Redis | Cluster {
	const { url, sentinels, cluster, master = "mymaster" } = config;
	const tls = tlsOptions(config);
	const common = {
		lazyConnect: true,
		protocol: 2,
		connectTimeout: CONNECT_TIMEOUT_MS,
		commandTimeout: purpose === "commands" ? COMMAND_TIMEOUT_MS : undefined,
		socketTimeout: SILENCE_MS[purpose],
		// We make another client instead, with what the files say by then; and ask again ourselves.
		retryStrategy: null,
		maxRetriesPerRequest: 0,
		autoResendUnfulfilledCommands: false,
		// Both take rights; a server that reads its database says so when it is asked for anything.
		enableReadyCheck: false,
		disableClientInfo: true,
		...credentials(config),
	} satisfies CommonRedisOptions;
	const secure = tls === undefined ? {} : { tls };

	if (cluster !== undefined) {
		return new Cluster(cluster.map(hostAndPort), {
			lazyConnect: true,
			enableOfflineQueue: false,
			enableReadyCheck: false,
			clusterRetryStrategy: null,
			slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
			redisOptions: { ...common, ...secure },
		});
	}
	const single = { ...common, enableOfflineQueue: false };
	// A Sentinel that makes another server the primary ends the connections to the old one: nobody needs to watch for it.
	if (sentinels !== undefined) {
		const { sentinelUsername, sentinelPasswordFile, sentinelTls } = config;
		const asked = sentinelTls === undefined ? tls : tlsFiles(sentinelTls, "sentinelTls");
		return new Redis({
			...single,
			...secure,
			sentinels: sentinels.map(hostAndPort),
			name: master,
			sentinelRetryStrategy: () => null,
			sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
			enableTLSForSentinelMode: tls !== undefined,
			...(sentinelUsername !== undefined && { sentinelUsername }),
			...(sentinelPasswordFile !== undefined && {
				sentinelPassword: password(sentinelPasswordFile, "sentinelPasswordFile"),
			}),
			...(asked !== undefined && { sentinelTLS: asked }),
		});
	}
	return new Redis({ ...single, ...secure, ...serverOf(url ?? "") });
}

/** @throws Error in words when the file can't be read */
function credentials({ username, passwordFile }: RedisConfig): { username?: string; password?: string } {
	if (passwordFile === undefined) return {};
	return { username: username ?? "default", password: password(passwordFile, "passwordFile") };
}

function password(file: string, key: string): string {
	const [first = ""] = read(file, key).toString("utf8").split(/\r?\n/, 1);
	return first;
}

type TlsOptions = NonNullable<Redis["options"]["tls"]>;

const tlsOptions = (config: RedisConfig): TlsOptions | undefined =>
	// `rediss://` alone is TLS by the authorities of the system
	speaksTls(config) ? tlsFiles(config.tls || true, "tls") : undefined;

/**
 * @param key under which the files are configured
 * @returns undefined where no TLS is spoken
 */
function tlsFiles(tls: boolean | RedisTls, key: string): TlsOptions | undefined {
	if (typeof tls === "boolean") return tls ? {} : undefined;
	return {
		...(tls.ca !== undefined && { ca: read(tls.ca, `${key}.ca`) }),
		...(tls.cert !== undefined && { cert: read(tls.cert, `${key}.cert`) }),
		...(tls.key !== undefined && { key: read(tls.key, `${key}.key`) }),
		...(tls.serverName !== undefined && { servername: tls.serverName }),
	};
}

function read(file: string, key: string): Buffer {
	try {
		return readFileSync(file);
	} catch (error) {
		throw new Error(`cannot read ${file}: ${messageOf(error)} (see fleet.redis.${key})`, { cause: error });
	}
}

function serverOf(url: string): { path: string } | { host: string; port: number; db: number } {
	const [, path] = /^unix:\/\/(\/.*)$/i.exec(url) ?? [];
	if (path !== undefined) return { path };
	const { hostname, port, pathname } = new URL(url);
	return { host: unbracketed(hostname), port: port === "" ? 6379 : Number(port), db: Number(pathname.slice(1)) };
}

function hostAndPort(server: string): { host: string; port: number } {
	const at = server.lastIndexOf(":");
	return { host: unbracketed(server.slice(0, at)), port: Number(server.slice(at + 1)) };
}

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");
