/** The desired backend set: what a proxy should have, whatever the proxy is. Pure. */

import type { Options } from "../config/schema.js";
import type { Identity } from "../identity/identity.js";
import { type EndpointKey, type NetnsKey, netnsKey } from "../listeners/ids.js";

declare const brand: unique symbol;

/**
 * `address:port`, e.g. `10.0.1.2:80` or `fd00::1:80`: made of characters that are safe in every proxy's
 * configuration, and the same again after a restart of the daemon or of the host. Unique within a service.
 */
export type BackendId = string & { readonly [brand]: "BackendId" };

export const backendId = (address: string, port: number): BackendId => `${address}:${port}` as BackendId;

/** Reads what `backendId` wrote; undefined for a text that has no port at its end. */
export function parseBackendId(text: string): BackendId | undefined {
	const place = placeOf(text);
	return place && backendId(place.address, place.port);
}

/** The parts of an id; undefined for a text that is none. */
export function placeOf(id: string): { readonly address: string; readonly port: number } | undefined {
	const [, address, port] = /^(.+):(\d{1,5})$/.exec(id) ?? [];
	return address === undefined ? undefined : { address, port: Number(port) };
}

/** Where those are that the proxy has and the kernel's table lacks: no namespace of the kernel's has this key. */
export const ADOPTED_NETNS: NetnsKey = netnsKey("adopted");

/** A backend by its names: what changed, and what commands are given for. */
export interface BackendRef {
	readonly service: string;
	readonly id: BackendId;
}

/** One text for both names; a service's name holds no `|`. */
export const refKey = ({ service, id }: BackendRef): string => `${service}|${id}`;

/** The id in what `refKey` wrote: a part of that text, which takes no memory of its own where the text is kept as well. */
export const idOf = (key: string): BackendId => key.slice(key.indexOf("|") + 1) as BackendId;

/** A person's word on a backend: it stays until it is released, whether the backend is there or not. */
export interface Hold extends BackendRef {
	readonly state: "drain" | "down";
}

/**
 * What the proxy is to do with a backend.
 * - `ready`: it listens.
 * - `closing`: it closed, and stays as the last one until `lastGrace` is over; proxies treat it as ready.
 * - `drain`: no new work: it was told to stop and still listens, or a person drained it.
 * - `down`: it listens, and gets nothing: a person took it out, or it can't serve (paused, or hung).
 */
export type BackendState = "ready" | "closing" | "drain" | "down";

/** One server of a service. */
export interface Backend {
	readonly id: BackendId;
	readonly service: string;
	/** Where the proxy connects to; never a wildcard. */
	readonly address: string;
	readonly port: number;
	readonly weight: number;
	readonly state: BackendState;
	/** True when the state is a person's word, kept until it is released. */
	readonly held: boolean;
	/** Others of the service are preferred and ready: it gets nothing while they are. */
	readonly backup: boolean;
	/** The name of its host, and of the zone of that; `""` where it is not known. */
	readonly host: string;
	readonly zone: string;
	/** Whether it is on this host. */
	readonly local: boolean;
	readonly endpoint: EndpointKey;
	readonly netns: NetnsKey;
	readonly identity: Identity;
}

/** Whether a proxy, or a template, is told the same of both. */
export function sameBackend(a: Backend | undefined, b: Backend | undefined): boolean {
	if (a === b) return true;
	if (a === undefined || b === undefined) return false;
	return (
		a.id === b.id &&
		a.service === b.service &&
		a.weight === b.weight &&
		a.state === b.state &&
		a.held === b.held &&
		a.backup === b.backup &&
		a.host === b.host &&
		a.zone === b.zone &&
		a.local === b.local &&
		shown(a.identity) === shown(b.identity)
	);
}

/** What templates may show of an identity. */
function shown({ comm, hostname, cgroup, unit, container, containerName, image, netnsName }: Identity): string {
	return [comm, hostname, cgroup, unit, container, containerName, image, netnsName].join("\n");
}

/** A service with its backends, sorted by id; it keeps its place when it has none. */
export interface DesiredService {
	readonly name: string;
	readonly mode: "http" | "tcp";
	readonly balance: string;
	readonly hosts: readonly string[];
	readonly options: Options;
	/** Of each of its backends, unless one has another. */
	readonly weight: number;
	/** Among the services by label; absent: the configuration has it. */
	readonly order?: number;
	readonly backends: readonly Backend[];
}

/** All services of the configuration, sorted by name. */
export type DesiredSet = readonly DesiredService[];

/** The desired set differs from before. */
export interface DesiredChange {
	/** When it was known here, in milliseconds of a clock that does not jump. */
	readonly atMs: number;
	/** Whether a backend left. */
	readonly removal: boolean;
	/** The backends that came, went or changed; undefined when it may be any. */
	readonly touched: readonly BackendRef[] | undefined;
	/** How long ago the kernel's event was, in milliseconds, where one event caused it. */
	sinceKernelMs?(): number;
}
