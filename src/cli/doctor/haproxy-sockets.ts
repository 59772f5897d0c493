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
	const mend = (words: string) => `let the line in HAProxy's configuration say: stats socket ${socket} ${words}`;
	const denied = await deniedTo(user, name, socket, "no backend can be changed without a reload", {
		mend: mend("mode 660 group haproxy level admin"),
	});
	if (!answer.ok) return unanswered(name, answer, denied);
	const [info = "", level = ""] = answer.text.split("\n\n");
	try {
		const { pid, version } = parseInfo(info);
		// "user" or "operator" otherwise (HAProxy 1.8 and later). Who only observes gives no commands.
		if (mode === "observe" || level === "admin") {
			return { finding: denied ?? { name, state: "ok", detail: `HAProxy ${version}` }, worker: pid };
		}
		const detail = `HAProxy ${version} takes no commands at ${socket}: its level is ${level} (${mend("level admin")})`;
		return { finding: { name, state: "failed", detail }, worker: pid };
	} catch (error) {
		return { finding: { name, state: "failed", detail: messageOf(error) } };
	}
}

export async function askMaster(name: string, socket: string, user: DaemonUser): Promise<Asked> {
	const answer = await ask(socket, "show proc;show cli level;quit");
	const denied = await deniedTo(user, name, socket, "no reload can be asked for there", {
		mend: `start HAProxy with -S ${socket},mode,660,group,haproxy`,
	});
	if (!answer.ok) return unanswered(name, answer, denied);
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

/** A proxy that is away is waited for; one that may not be asked never answers. */
function unanswered(
	name: string,
	{ trouble, why }: { readonly trouble: SocketTrouble; readonly why: string },
	denied: Finding | undefined,
): Asked {
	return {
		finding: denied ?? { name, state: "degraded", detail: why },
		isDown: trouble === "absent" || trouble === "refused",
	};
}
