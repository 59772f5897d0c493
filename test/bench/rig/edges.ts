/** Proxies that a change is tried with: each with what keeps it up to date, and a fleet of backends behind it. */

import { openEdge } from "../../host/edge.js";
import type { Lifetime } from "../../host/lifetime.js";
import { openSegment } from "../../host/netns.js";
import { type Fleet, type FleetOptions, PORT, startFleet } from "./fleet.js";
import { openNginxEdge } from "./nginx-edge.js";
import { openPlainHaproxy } from "./plain-haproxy.js";
import { startProbe } from "./probe.js";

export interface Served {
	readonly fleet: Fleet;
	/** Where the proxy serves, on 127.0.0.1. */
	readonly port: number;
}

export interface ServedByHaproxy extends Served {
	readonly runtimeSocket: string;
}

/** Opens proxy and backends; every backend is in. */
export type Opener<S extends Served = Served> = (owned: Lifetime, size: number, options?: FleetOptions) => Promise<S>;

/** An application works so long on a request: a kill finds some in flight. */
export const WORK_US = 2000;

const match = { port: PORT, netns: `slt-${process.pid}-web-*` };
const services = { web: { match } };
const settings = { flap: false };

/**
 * @param program of HAProxy
 * @param backendLines what its backend has besides
 */
export const haproxyBySolistend =
	(program: string, backendLines: readonly string[] = []): Opener<ServedByHaproxy> =>
	async (owned, size, options) => {
		const own = { web: { match, options: { backendLines } } };
		const edge = owned.own(await openEdge({ services: own, settings, proxy: { slots: { min: 16 } } }, program));
		const probe = owned.own(await startProbe());
		const fleet = await startFleet(edge.segment, size, WORK_US, options);
		await edge.startDaemon();
		const allInMs = await probe.count(edge.runtimeSocket, "web", PORT, size);
		if (allInMs === undefined) throw new Error("not all backends are in the pool within 10 s");
		return { fleet, port: edge.port, runtimeSocket: edge.runtimeSocket };
	};

export const nginxBySolistend: Opener = async (owned, size) => {
	const edge = owned.own(await openNginxEdge({ services, settings }));
	const fleet = await startFleet(edge.segment, size, WORK_US);
	await edge.startDaemon();
	await edge.has(fleet.addresses.map((address) => `${address}:${PORT}`));
	return { fleet, port: edge.port };
};

/**
 * HAProxy alone: its own checks, and retries.
 *
 * @param check the words of a server that say how it is checked
 * @param backendLines what its backend has besides
 */
export const haproxyChecking =
	(check: string, backendLines: readonly string[] = []): Opener<ServedByHaproxy> =>
	async (owned, size, options) => {
		const segment = owned.own(await openSegment());
		const fleet = await startFleet(segment, size, WORK_US, options);
		const servers = fleet.addresses.map((address, index) => `web${index} ${address}:${PORT} ${check}`);
		const { port, runtimeSocket } = owned.own(await openPlainHaproxy(servers, backendLines));
		return { fleet, port, runtimeSocket };
	};

/** Default checks. */
export const haproxyByChecks = haproxyChecking("check");
