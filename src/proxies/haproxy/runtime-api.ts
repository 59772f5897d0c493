/**
 * HAProxy's command sockets: one command over its own connection, bounded in time and size, and the answers parsed.
 * A connection is never kept: one that was open before a reload goes on talking to the old worker.
 */

import { Socket } from "node:net";
import { messageOf, SolistendError } from "../../errors.js";
import { connectAndSay } from "../../unix-socket.js";

/** Why there is no answer. `absent` and `refused` mean that nobody listens there. */
export type SocketTrouble = "absent" | "refused" | "denied" | "timeout" | "closed" | "too-long" | "failed";

export type SocketAnswer =
	| { readonly ok: true; readonly text: string }
	| { readonly ok: false; readonly trouble: SocketTrouble; readonly why: string };

export interface AskOptions {
	/** Path of the unix socket. */
	readonly socket: string;
	/** One command, or several joined with `;` that one and the same worker answers. */
	readonly command: string;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
	/** Takes an answer without the empty line in which answers end; `reload` has none. */
	readonly openEnd?: boolean;
}

/** Longest answer in bytes; a server takes about 100 of `show servers state`. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** A connection to it, with the text on its way. */
function say(path: string, text: Buffer): Socket {
	const said = connectAndSay(path, text);
	// What Node sends it does in a later turn, behind all else that there is to do: a change need not wait for that.
	const connection =
		said === undefined ? new Socket().connect(path) : new Socket({ fd: said.fd, readable: true, writable: true });
	if (said === undefined || said.bytes < text.length) connection.write(text.subarray(said?.bytes ?? 0));
	return connection;
}

/** Sends a command and reads until HAProxy closes. Rejects only when the signal is aborted. */
export function askSocket({ socket, command, timeoutMs, signal, openEnd }: AskOptions): Promise<SocketAnswer> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		const chunks: Buffer[] = [];
		let length = 0;
		const connection = say(socket, Buffer.from(`${command}\n`));
		const release = () => {
			clearTimeout(timer);
			signal.removeEventListener("abort", onAbort);
			connection.destroy();
		};
		const finish = (answer: SocketAnswer) => {
			release();
			resolve(answer);
		};
		const fail = (trouble: SocketTrouble, why: string) => finish({ ok: false, trouble, why: `${socket} ${why}` });
		const onAbort = () => {
			release();
			reject(signal.reason);
		};
		const timer = setTimeout(
			() => fail("timeout", `did not answer "${command}" within ${timeoutMs} ms (is HAProxy busy or stopped?)`),
			timeoutMs,
		);
		signal.addEventListener("abort", onAbort, { once: true });
		connection.on("data", (chunk) => {
			chunks.push(chunk);
			length += chunk.length;
			if (length > MAX_ANSWER) fail("too-long", `answered "${command}" with more than ${MAX_ANSWER} bytes`);
		});
		connection.on("end", () => {
			const text = Buffer.concat(chunks).toString("utf8");
			if (text.endsWith("\n\n") || (openEnd === true && text !== "")) finish({ ok: true, text });
			else fail("closed", `closed the connection before it had answered "${command}"`);
		});
		connection.on("error", (error) => {
			const { trouble, why } = connectTrouble(error);
			fail(trouble, why);
		});
	});
}

function connectTrouble(error: Error): { trouble: SocketTrouble; why: string } {
	switch ("code" in error ? error.code : undefined) {
		case "ENOENT":
		case "ENOTDIR":
			return { trouble: "absent", why: "is not there (is HAProxy running, and is this its socket?)" };
		case "ECONNREFUSED":
			return { trouble: "refused", why: "is there, but nobody listens on it (is HAProxy running?)" };
		case "EACCES":
		case "EPERM":
			return { trouble: "denied", why: "may not be opened (put the user that runs solistend in the socket's group)" };
		case "ECONNRESET":
		case "EPIPE":
			return { trouble: "closed", why: "was closed by HAProxy before it answered" };
		default:
			return { trouble: "failed", why: `can not be used: ${messageOf(error)}` };
	}
}

/** One row of `show servers state`. */
export interface ServerState {
	readonly backend: string;
	readonly server: string;
	/** As HAProxy writes it; `-` when it has none. */
	readonly address: string;
	readonly port: number;
	/** 0 stopped, 2 running. */
	readonly operational: number;
	/** Bits: 0x01 forced maint, 0x04 `disabled` in the file, 0x08 forced drain; see the management guide. */
	readonly admin: number;
	readonly weight: number;
	/** Bits: 0x02 a check is configured, 0x04 it is enabled. */
	readonly check: number;
}

export interface ShownInfo {
	readonly pid: number;
	readonly version: string;
	/** A worker's own mark: pids are reused, in containers soon. */
	readonly worker: string;
}

/** Reads `show info`. @throws SolistendError when it is something else. */
export function parseInfo(text: string): ShownInfo {
	const pid = Number(/^Pid: (\d+)$/m.exec(text)?.[1]);
	const version = /^Version: (.+)$/m.exec(text)?.[1];
	if (!(pid > 0) || version === undefined) throw unexpected("show info", text);
	return { pid, version, worker: `${pid}/${/^Start_time_sec: (\d+)$/m.exec(text)?.[1] ?? ""}` };
}

/** Reads `show backend`: the names. @throws SolistendError when it is something else. */
export function parseBackends(text: string): string[] {
	const [header, ...names] = text.split("\n").filter((line) => line !== "");
	if (header !== "# name") throw unexpected("show backend", text);
	return names;
}

/**
 * Reads `show servers state`, format version 1 (HAProxy 1.8 and later); columns are found by their names.
 * @throws SolistendError when it is something else.
 */
export function parseServersState(text: string): ServerState[] {
	const [version, header = "", ...rows] = text.split("\n").filter((line) => line !== "");
	if (version !== "1" || !header.startsWith("# be_id be_name")) throw unexpected("show servers state", text);
	const names = header.slice(2).split(" ");
	const column = (name: string) => names.indexOf(name);
	const columns = {
		backend: column("be_name"),
		server: column("srv_name"),
		address: column("srv_addr"),
		port: column("srv_port"),
		operational: column("srv_op_state"),
		admin: column("srv_admin_state"),
		weight: column("srv_uweight"),
		check: column("srv_check_state"),
	};
	return rows.map((row) => {
		const cells = row.split(" ");
		return {
			backend: cells[columns.backend] ?? "",
			server: cells[columns.server] ?? "",
			address: cells[columns.address] ?? "-",
			port: Number(cells[columns.port]),
			operational: Number(cells[columns.operational]),
			admin: Number(cells[columns.admin]),
			weight: Number(cells[columns.weight]),
			check: Number(cells[columns.check]),
		};
	});
}

function unexpected(command: string, text: string): SolistendError {
	const said = text.trim().split("\n")[0] ?? "";
	return new SolistendError(
		"proxy",
		`cannot read HAProxy's answer to "${command}": it says "${said}" (the socket needs level admin)`,
	);
}
