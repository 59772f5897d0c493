/** What `solistend doctor` says of the container engine. A host without one is as it should be. */

import { z } from "zod";
import { readList } from "../identity/engine/answers.js";
import { askEngine, type EngineAnswer, socketPath } from "../identity/engine/request.js";
import type { DaemonUser } from "./doctor/daemon-user.js";
import { deniedTo } from "./doctor/socket-finding.js";
import type { Finding } from "./finding.js";

const name = "engine";

/** As a person waits for it: an engine that needs longer is in trouble. */
const TIMEOUT_MS = 5000;
const MAX_BYTES = 64 * 1024 * 1024;

/** Docker's `/version`; Podman calls its first component `Podman Engine`. */
const version = z.object({
	Version: z.string(),
	Components: z.array(z.object({ Name: z.string() })).catch([]),
});

const DENIED = "what containers are called, and their labels, is not known";

/**
 * @param docker `discovery.docker` of the configuration
 * @param user that has to reach it, if another one than this process's is meant
 */
export async function engineFinding(docker: string | undefined, user?: DaemonUser): Promise<Finding> {
	if (docker === undefined) {
		const lacks = "services by a container's name, image or label, and containers' own labels, need discovery.docker";
		return { name, state: "ok", detail: `none is configured: ${lacks}` };
	}
	const socket = socketPath(docker);
	const denied = user && (await deniedTo(user, name, socket, DENIED));
	if (denied !== undefined) return denied;
	const { signal } = new AbortController();
	const ask = (path: string) => askEngine({ socket, path, signal, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
	const about = await ask("/version");
	if (about.state !== "ok") return trouble(socket, about);
	const { data } = version.safeParse(about.json);
	if (data === undefined) return trouble(socket, { state: "nonsense", why: "is no container engine" });
	const kind = data.Components.some(({ Name }) => Name.startsWith("Podman")) ? "Podman" : "Docker";
	const running = await ask("/containers/json");
	const listed = running.state === "ok" ? readList(running.json) : undefined;
	if (listed === undefined) {
		return trouble(socket, running.state === "ok" ? { state: "nonsense", why: "lists no containers" } : running);
	}
	const count = listed.containers.length;
	const containers = count === 1 ? "1 container runs" : `${count} containers run`;
	return { name, state: "ok", detail: `${kind} ${data.Version} at ${socket}: ${containers}` };
}

/** The daemon waits for one that is away, and does all else meanwhile; what is no engine will never answer. */
function trouble(socket: string, answer: Exclude<EngineAnswer, { state: "ok" }>): Finding {
	switch (answer.state) {
		case "failed":
			return {
				name,
				state: "degraded",
				detail: `${socket} ${answer.why}; meanwhile what depends on it stays as it is, and what is new waits`,
			};
		case "absent":
		case "nonsense": {
			const why = answer.state === "absent" ? "is no container engine" : answer.why;
			return { name, state: "failed", detail: `${socket} ${why} (name an engine's socket in discovery.docker)` };
		}
		default:
			return answer satisfies never;
	}
}
