/** What doctor says of HAProxy's sockets: whether they answer, to the daemon's user too, and take commands. */

import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import { parseProcesses } from "../../proxies/haproxy/master.js";
import { askSocket, parseInfo, type SocketTrouble } from "../../proxies/haproxy/runtime-api.js";
import type { Finding } from "../finding.js";
import type { DaemonUser } from "./daemon-user.js";
import { deniedTo } from "./socket-finding.js";

const SOCKET_TIMEOUT_MS = 2000;

/** What a socket said of itself, and of a worker behind it. */
export interface Asked {
	readonly finding: Finding;
	/** A worker's process, as it says itself: in its own pid namespace. */
	readonly worker?: number | undefined;
	/** Nobody listens there. */
	readonly isDown?: boolean;
}

export async function askRuntime(
	name: string,
	socket: string | undefined,
	mode: ProxyConfig["mode"],
	user: DaemonUser,
): Promise<Asked> {
	if (socket === undefined) {
		const detail =
			"none is configured: every change takes a reload, and what is live can't be compared (add runtimeSocket)";
		return { finding: { name, state: "degraded", detail } };
	}
	const answer = await ask(socket, "show info;show cli level");
	if (!answer.ok) return unanswered(name, socket, answer, user);
	const denied = await deniedTo(user, name, socket, "no backend can be changed without a reload");
	const [info = "", level = ""] = answer.text.split("\n\n");
	try {
		const { pid, version } = parseInfo(info);
		// "user" or "operator" otherwise (HAProxy 1.8 and later). Who only observes gives no commands.
		if (mode === "observe" || level === "admin") {
			return { finding: denied ?? { name, state: "ok", detail: `HAProxy ${version}` }, worker: pid };
		}
		const mend = `let the line in HAProxy's configuration say: stats socket ${socket} level admin`;
		const detail = `HAProxy ${version} takes no commands at ${socket}: its level is ${level} (${mend})`;
		return { finding: { name, state: "failed", detail }, worker: pid };
	} catch (error) {
		return { finding: { name, state: "failed", detail: messageOf(error) } };
	}
}

export async function askMaster(name: string, socket: string, user: DaemonUser): Promise<Asked> {
	const answer = await ask(socket, "show proc;show cli level;quit");
	if (!answer.ok) return unanswered(name, socket, answer, user);
	const denied = await deniedTo(user, name, socket, "no reload can be asked for there");
	try {
		const [worker] = parseProcesses(answer.text).workers;
		// An operator may reload, a user may not.
		if (/^user$/m.test(answer.text)) {
			const detail = `HAProxy takes no reload at ${socket}: its level is user (start it with -S ${socket},level,admin)`;
			return { finding: { name, state: "failed", detail }, worker };
		}
		return { finding: denied ?? { name, state: "ok", detail: socket }, worker };
	} catch (error) {
		return { finding: { name, state: "failed", detail: messageOf(error) } };
	}
}

const ask = (socket: string, command: string) =>
	askSocket({ socket, command, timeoutMs: SOCKET_TIMEOUT_MS, signal: new AbortController().signal });

/** A proxy that is away is waited for; one that may not be asked will never be. */
async function unanswered(
	name: string,
	socket: string,
	{ trouble, why }: { readonly trouble: SocketTrouble; readonly why: string },
	user: DaemonUser,
): Promise<Asked> {
	const denied = trouble === "denied" ? await deniedTo(user, name, socket, "the daemon can't ask HAProxy") : undefined;
	const finding = denied ?? { name, state: "degraded", detail: why };
	return { finding, isDown: trouble === "absent" || trouble === "refused" };
}
