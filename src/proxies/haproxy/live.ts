/** What HAProxy serves now, asked over its sockets, and what of a file it does not serve. Never changes anything. */

import { backendId } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import { formatIp, parseIp } from "../../ip.js";
import type { Declared } from "./declared.js";
import { askProcesses } from "./master.js";
import { askSocket, parseBackends, parseInfo, parseServersState, type ServerState } from "./runtime-api.js";

/** What may be sent to a server: everything, only what is pinned to it, nothing. */
export type AdminState = "ready" | "drain" | "maint";

/** A server as the running HAProxy has it. */
export interface LiveServer {
	/** `address:port`, as a backend's id. */
	readonly address: string;
	readonly weight: number;
	readonly admin: AdminState;
	/** False when HAProxy's own checks hold it for down. */
	readonly running: boolean;
	/** HAProxy's own checks of it; `paused`: they do not run, also when they are on, until it was in maintenance again. */
	readonly checks: "none" | "on" | "off" | "paused";
}

/** By backend, then by server. */
export type LiveServers = ReadonlyMap<string, ReadonlyMap<string, LiveServer>>;

/** `why` is a clause for people. */
export type Live =
	/** All of it from one worker; `version` as `[major, minor]`. */
	| {
			readonly state: "known";
			readonly worker: string;
			readonly version: readonly [number, number];
			readonly servers: LiveServers;
	  }
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
	const servers = new Map<string, Map<string, LiveServer>>(parseBackends(backends).map((name) => [name, new Map()]));
	for (const row of parseServersState(state)) servers.get(row.backend)?.set(row.server, liveServer(row));
	const { worker, version } = parseInfo(info);
	const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
	return { state: "known", worker, version: [major, minor], servers };
}

/** Bits of `srv_admin_state`: forced and inherited drain; maintenance, forced, inherited, by resolution. */
const DRAIN = 0x08 | 0x10;
const MAINT = 0x01 | 0x02 | 0x20 | 0x40;

/** Bits of `srv_check_state`, haproxy/check-t.h. */
const CHECK_CONFIGURED = 0x02;
const CHECK_ENABLED = 0x04;
const CHECK_PAUSED = 0x08;

function liveServer({ address, port, weight, admin, operational, check }: ServerState): LiveServer {
	// HAProxy writes IPv4 in the one way there is.
	const ip = address.includes(":") ? parseIp(address) : undefined;
	const isOut = (admin & MAINT) !== 0;
	return {
		address: backendId(ip === undefined ? address : formatIp(ip), port),
		weight,
		admin: isOut ? "maint" : (admin & DRAIN) !== 0 ? "drain" : "ready",
		running: operational !== 0,
		checks: checksOf(check, isOut),
	};
}

function checksOf(check: number, isOut: boolean): LiveServer["checks"] {
	if ((check & CHECK_CONFIGURED) === 0) return "none";
	if (!isOut && (check & CHECK_PAUSED) !== 0) return "paused";
	return (check & CHECK_ENABLED) !== 0 ? "on" : "off";
}

/** What a file declares and the live state lacks, as `backend` or `backend/server`. Whatever else is live is no concern. */
export function missingFrom(live: LiveServers, declared: Declared): string[] {
	return [...declared].flatMap(([backend, servers]) => {
		const liveServers = live.get(backend);
		if (liveServers === undefined) return [backend];
		return [...servers.keys()].filter((name) => !liveServers.has(name)).map((name) => `${backend}/${name}`);
	});
}
