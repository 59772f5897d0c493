/** Proxies that a change is tried with: each with what keeps it up to date, and a fleet of backends behind it. */

import { openEdge } from "../../host/edge.js";
import type { Lifetime } from "../../host/lifetime.js";
import { openSegment } from "../../host/netns.js";
import { type Fleet, PORT, startFleet } from "./fleet.js";
import { openNginxEdge } from "./nginx-edge.js";
import { openPlainHaproxy } from "./plain-haproxy.js";
import { startProbe } from "./probe.js";

export interface Served {
	readonly fleet: Fleet;
	/** Where the proxy serves, on 127.0.0.1. */
	readonly port: number;
}

/** Opens proxy and backends; every backend is in. */
export type Opener = (owned: Lifetime, size: number) => Promise<Served>;

/** An application works so long on a request: a kill finds some in flight. */
export const WORK_US = 2000;

const services = { web: { match: { port: PORT, netns: `slt-${process.pid}-web-*` } } };
const settings = { flap: false };

/** @param program of HAProxy */
export const haproxyBySolistend =
	(program: string): Opener =>
	async (owned, size) => {
		const edge = owned.own(await openEdge({ services, settings, proxy: { slots: { min: 16 } } }, program));
		const probe = owned.own(await startProbe());
		const fleet = await startFleet(edge.segment, size, WORK_US);
		await edge.startDaemon();
		const allInMs = await probe.count(edge.runtimeSocket, "web", PORT, size);
		if (allInMs === undefined) throw new Error("not all backends are in the pool within 10 s");
		return { fleet, port: edge.port };
	};

export const nginxBySolistend: Opener = async (owned, size) => {
	const edge = owned.own(await openNginxEdge({ services, settings }));
	const fleet = await startFleet(edge.segment, size, WORK_US);
	await edge.startDaemon();
	await edge.has(fleet.addresses.map((address) => `${address}:${PORT}`));
	return { fleet, port: edge.port };
};

/** HAProxy alone: its own checks, default ones, and retries. */
export const haproxyByChecks: Opener = async (owned, size) => {
	const segment = owned.own(await openSegment());
	const fleet = await startFleet(segment, size, WORK_US);
	const servers = fleet.addresses.map((address, index) => `web${index} ${address}:${PORT} check`);
	const { port } = owned.own(await openPlainHaproxy(servers));
	return { fleet, port };
};
