/** What HAProxy serves now, asked over its sockets, and what of a file it does not serve. Never changes anything. */

import type { ProxyConfig } from "../../config/schema.js";
import { type Declared, hostPort } from "./declared.js";
import { askProcesses } from "./master.js";
import { askSocket, parseBackends, parseInfo, parseServersState } from "./runtime-api.js";

/** `why` is a clause for people. */
export type Live =
	/** All of it from one worker. */
	| { readonly state: "known"; readonly worker: string; readonly servers: Declared }
	/** It runs, as far as one can tell, but there is no runtime socket to ask; `why` when there should be one. */
	| { readonly state: "unknown"; readonly why?: string }
	/** Nobody listens on its sockets: it reads its file when it starts. */
	| { readonly state: "down"; readonly why: string }
	/** It is there and does not answer. */
	| { readonly state: "mute"; readonly why: string };

type Sockets = Pick<ProxyConfig, "runtimeSocket" | "masterSocket" | "timeout">;

/** @throws SolistendError when an answer can't be read. */
export async function readLive(proxy: Sockets, signal: AbortSignal): Promise<Live> {
	const { runtimeSocket, masterSocket, timeout: timeoutMs } = proxy;
	if (runtimeSocket === undefined) {
		if (masterSocket === undefined) return { state: "unknown" };
		const master = await askProcesses({ socket: masterSocket, timeoutMs, signal });
		if (master.ok) return { state: "unknown" };
		return { state: isNobody(master.trouble) ? "down" : "mute", why: master.why };
	}
	const answer = await askSocket({
		socket: runtimeSocket,
		// In one connection, so that one worker answers all three.
		command: "show info;show backend;show servers state",
		timeoutMs,
		signal,
	});
	if (answer.ok) return parseLive(answer.text);
	if (!isNobody(answer.trouble)) return { state: "mute", why: answer.why };
	if (masterSocket !== undefined) {
		// Its file may be the one that is to bring the runtime socket.
		const master = await askProcesses({ socket: masterSocket, timeoutMs, signal });
		if (master.ok) return { state: "unknown", why: answer.why };
	}
	return { state: "down", why: answer.why };
}

function isNobody(trouble: string): boolean {
	return trouble === "absent" || trouble === "refused";
}

/** Reads the three answers, each of which ends in an empty line. @throws SolistendError when one is something else. */
export function parseLive(text: string): Extract<Live, { state: "known" }> {
	const [info = "", backends = "", state = ""] = text.split(/\n\n/);
	const servers = new Map<string, Map<string, string>>(parseBackends(backends).map((name) => [name, new Map()]));
	for (const { backend, server, address, port } of parseServersState(state)) {
		servers.get(backend)?.set(server, hostPort(address, port));
	}
	return { state: "known", worker: parseInfo(info).worker, servers };
}

/** What a file declares and the live state lacks, as `backend` or `backend/server`. Whatever else is live is no concern. */
export function missingFrom(live: Declared, declared: Declared): string[] {
	return [...declared].flatMap(([backend, servers]) => {
		const liveServers = live.get(backend);
		if (liveServers === undefined) return [backend];
		return [...servers]
			.filter(
				([name, address]) => !liveServers.has(name) || (address !== undefined && liveServers.get(name) !== address),
			)
			.map(([name]) => `${backend}/${name}`);
	});
}
