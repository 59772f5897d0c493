/** Asking the running daemon over its control socket, for the commands that need one. */

import { existsSync } from "node:fs";
import { request } from "node:http";
import type { z } from "zod";
import { loadConfig } from "../config/load.js";
import { formatProblem } from "../config/problem.js";
import { configSchema } from "../config/schema.js";
import { messageOf, SolistendError } from "../errors.js";
import { isCode } from "../files.js";

/** Where the daemon is found. */
export interface SocketOptions {
	/** Its configuration names the socket; where there is none, the default one is meant. */
	readonly config: string;
	readonly isConfigGiven: boolean;
	/** The socket itself, whatever a configuration says. */
	readonly socket?: string | undefined;
}

export interface Asked {
	readonly status: number;
	readonly body: unknown;
}

const TIMEOUT_MS = 10_000;

/** @throws SolistendError when the configuration is wrong, so that the socket is not known. */
export async function socketPath({ config: file, isConfigGiven, socket }: SocketOptions): Promise<string> {
	if (socket !== undefined) return socket;
	if (!isConfigGiven && !existsSync(file)) return configSchema.parse({}).admin.socket;
	const loaded = await loadConfig(file);
	if (loaded.ok) return loaded.config.admin.socket;
	const problems = loaded.problems.map(formatProblem).join("\n");
	throw new SolistendError("config", `${problems}\n(mend it, or name the daemon's socket with --socket)`);
}

/**
 * One question. Whatever the daemon answers is an answer, also that there is no such thing.
 *
 * @throws SolistendError `daemon` when none answers, `privilege` when this user may not ask.
 */
export function ask(socket: string, method: "GET" | "POST", path: string, body?: object): Promise<Asked> {
	return new Promise((resolve, reject) => {
		const fail = (error: unknown) => reject(explained(error, socket));
		const signal = AbortSignal.timeout(TIMEOUT_MS);
		const headers = body === undefined ? {} : { "content-type": "application/json" };
		const asking = request({ socketPath: socket, path, method, headers, signal }, (response) => {
			let text = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				text += chunk;
			});
			response.on("error", fail);
			response.on("end", () => {
				try {
					resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
				} catch (error) {
					fail(error);
				}
			});
		});
		asking.on("error", fail);
		asking.end(body === undefined ? undefined : JSON.stringify(body));
	});
}

/** The body of a good answer. @throws SolistendError with the daemon's own words, or when it is of another version. */
export function understood<T>({ status, body }: Asked, schema: z.ZodType<T>): T {
	if (status !== 200) {
		const told = typeof body === "object" && body !== null && "error" in body ? String(body.error) : `status ${status}`;
		throw new SolistendError("config", told);
	}
	const parsed = schema.safeParse(body);
	if (parsed.success) return parsed.data;
	throw new SolistendError("daemon", "the daemon answers in another form (restart it, so that it is of this version)");
}

/** Why the daemon gave no answer, with the mend. */
export function explained(error: unknown, socket: string): SolistendError {
	const cause = { cause: error };
	if (isCode(error, "EACCES") || isCode(error, "EPERM")) {
		const mend = "ask as root, or as a member of the socket's group";
		return new SolistendError("privilege", `may not ask the daemon at ${socket}: permission denied (${mend})`, cause);
	}
	if (isCode(error, "ENOENT") || isCode(error, "ECONNREFUSED") || isCode(error, "ENOTDIR")) {
		const mend = "start it: solistend run; or name its configuration with --config, its socket with --socket";
		return new SolistendError("daemon", `no daemon answers at ${socket} (${mend})`, cause);
	}
	if (error instanceof Error && error.name === "AbortError") {
		return new SolistendError(
			"daemon",
			`the daemon at ${socket} did not answer within ${TIMEOUT_MS / 1000} s (see its log)`,
			cause,
		);
	}
	return new SolistendError(
		"daemon",
		`the daemon at ${socket} gave no answer: ${messageOf(error)} (see its log)`,
		cause,
	);
}
