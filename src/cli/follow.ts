/**
 * Follows the running daemon over its control socket: its status, and then what becomes another in it, put together. Ends
 * when the daemon does.
 */

import { request } from "node:http";
import { z } from "zod";
import type { DaemonStatus } from "../admin/view.js";
import { SolistendError } from "../errors.js";
import { explained, understood } from "./ask.js";
import { backend, daemonStatus, fleetView, proxy, sensor } from "./status-schema.js";

/** Longest event, in characters: the status of a daemon with tens of thousands of backends. */
const MAX_EVENT = 64_000_000;

const inService = z.intersection(z.object({ service: z.string() }), backend);
const gone = z.object({ service: z.string(), id: z.string() });
const counts = daemonStatus.pick({ listeners: true, losses: true });

/**
 * @param onStatus called with the whole status, for the first time with the first one, and then with what came of all that
 * was told at once
 * @throws SolistendError as a question to the daemon does, and when the daemon ends; none once `signal` is aborted
 */
export async function follow(
	socket: string,
	onStatus: (status: DaemonStatus) => void,
	signal: AbortSignal,
): Promise<void> {
	let now: DaemonStatus | undefined;
	try {
		for await (const events of eventsOf(socket, signal)) {
			const before = now;
			for (const { event, data } of events) now = after(now, event, data) ?? now;
			if (now !== undefined && now !== before) onStatus(now);
		}
	} catch (error) {
		if (signal.aborted) return;
		throw error instanceof SolistendError ? error : explained(error, socket);
	}
	if (!signal.aborted) throw new SolistendError("daemon", `the daemon at ${socket} ended, or was started anew`);
}

/** The status with a change; undefined where the event is none that this version knows. */
export function after(now: DaemonStatus | undefined, event: string, data: unknown): DaemonStatus | undefined {
	if (event === "status") return understood({ status: 200, body: data }, daemonStatus);
	if (now === undefined) return undefined;
	const given = <T>(schema: z.ZodType<T>) => understood({ status: 200, body: data }, schema);
	switch (event) {
		case "backend": {
			const { service, ...changed } = given(inService);
			return withBackends(now, service, changed.id, [changed]);
		}
		case "backend-gone": {
			const { service, id } = given(gone);
			return withBackends(now, service, id, []);
		}
		case "proxy": {
			const changed = given(proxy);
			return { ...now, proxies: now.proxies.map((one) => (one.name === changed.name ? changed : one)) };
		}
		case "sensor":
			return { ...now, sensor: given(sensor) };
		case "fleet":
			return { ...now, fleet: given(fleetView) };
		case "counts":
			return { ...now, ...given(counts) };
		default:
			return undefined;
	}
}

function withBackends(
	now: DaemonStatus,
	service: string,
	id: string,
	instead: DaemonStatus["services"][number]["backends"],
): DaemonStatus {
	const services = now.services.map(({ name, backends }) => {
		if (name !== service) return { name, backends };
		const at = backends.findIndex((one) => one.id === id);
		// a new one comes last until the whole status tells its place
		return { name, backends: at === -1 ? [...backends, ...instead] : backends.toSpliced(at, 1, ...instead) };
	});
	return { ...now, services };
}

interface StreamEvent {
	readonly event: string;
	readonly data: unknown;
}

/** The events of the stream, as they are complete: those that came together, together. */
async function* eventsOf(socketPath: string, signal: AbortSignal): AsyncGenerator<StreamEvent[]> {
	const response = await new Promise<NodeJS.ReadableStream & { statusCode?: number | undefined }>((resolve, reject) => {
		const asking = request({ socketPath, path: "/v1/events", signal }, resolve);
		asking.on("error", reject);
		asking.end();
	});
	response.setEncoding("utf8");
	let text = "";
	if (response.statusCode !== 200) {
		for await (const chunk of response) text += chunk;
		throw new SolistendError("daemon", `the daemon lets nobody follow it now: ${text.trim()}`);
	}
	for await (const chunk of response) {
		text += chunk;
		if (text.length > MAX_EVENT) throw new SolistendError("daemon", "the daemon's answer has no end");
		const parts = text.split("\n\n");
		text = parts.pop() ?? "";
		yield parts.flatMap((part) => {
			const { event, data } = parsed(part);
			return data === undefined ? [] : [{ event, data: JSON.parse(data) }];
		});
	}
}

function parsed(part: string): { event: string; data: string | undefined } {
	const field = (name: string) =>
		part
			.split("\n")
			.find((line) => line.startsWith(`${name}: `))
			?.slice(name.length + 2);
	return { event: field("event") ?? "message", data: field("data") };
}
