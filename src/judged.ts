/**
 * What is known of every listener: who it is, the verdict, and what it leads to. Joins identity and rules; knows nothing of
 * what follows for the pools.
 */

import { constants } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Claim } from "./backends/claims.js";
import { questionOf } from "./backends/gate.js";
import { createJudge, type Judgement, type Verdict } from "./backends/judge.js";
import type { Catalogue } from "./backends/labels/catalogue.js";
import { needsLowest } from "./backends/labels/grants.js";
import { isIn } from "./backends/proxy-netns.js";
import { DEFAULT_STOP_SIGNAL, signalNames, toldToStop } from "./backends/stopping.js";
import type { Config } from "./config/schema.js";
import type { Place } from "./identity/presence.js";
import type { Resolved, Resolver } from "./identity/resolver.js";
import { isLoopback, parseIp } from "./ip.js";
import type { EndpointKey } from "./listeners/ids.js";
import type { Endpoint } from "./listeners/table.js";

/** A listener with all that is known of it. */
export interface JudgedListener {
	readonly endpoint: Endpoint;
	readonly resolved: Resolved;
	readonly verdict: Verdict;
}

/** What a look at an endpoint comes to. */
export interface Looked {
	readonly claims: readonly Claim[];
	/** Why it leads to nothing else, as a clause. */
	readonly why: string;
}

export interface Judged {
	/** Resolves and judges an endpoint, as it is now. */
	look(endpoint: Endpoint): Looked;
	/** Judges it again although nothing of it is new: what its container may serve is another thing by now. */
	lookAgain(endpoint: Endpoint): Looked;
	/** Judges one of which no more is new than what its processes were told; looks at it where more is. */
	lookAtSignals(endpoint: Endpoint): Looked;
	get(key: EndpointKey): (JudgedListener & Looked) | undefined;
	all(): IterableIterator<JudgedListener>;
	forget(key: EndpointKey): void;
	/** The endpoints of a container, by its full id. */
	ofContainer(id: string): Endpoint[];
	/** Others of its container that are to be looked at again when this one comes or goes: the lowest port may be meant. */
	besides(key: EndpointKey): Endpoint[];
	/** Whether the verdict is known on a listener that a connection to the address would reach. */
	hasAt(place: Place): boolean;
	/** Forgets all verdicts, and judges by other rules from now on. */
	reconfigure(config: Config): void;
}

/**
 * @param toMs a time of the kernel's clock, in the clock of the pools
 * @param catalogue what containers declare; default: nothing
 */
export function createJudged(
	config: Config,
	resolver: Pick<Resolver, "resolve">,
	toMs: (atNs: number) => number,
	catalogue?: Pick<Catalogue, "of" | "services">,
): Judged {
	const known = new Map<EndpointKey, JudgedListener & Judgement & Looked>();
	/** Those that are in a container, by its id. */
	const inContainer = new Map<string, Map<EndpointKey, Endpoint>>();
	let judge = createJudge(config, catalogue);
	let configured = config.services;
	/** As they are by what containers declare, too. */
	const serviceOf = (name: string) => (catalogue?.services ?? configured)[name];

	const file = (endpoint: Endpoint, id: string | undefined) => {
		if (id === undefined) return;
		const there = inContainer.get(id) ?? new Map<EndpointKey, Endpoint>();
		inContainer.set(id, there.set(endpoint.key, endpoint));
	};
	const unfile = (key: EndpointKey) => {
		const id = known.get(key)?.resolved.identity.container;
		const there = id === undefined ? undefined : inContainer.get(id);
		there?.delete(key);
		if (id !== undefined && there?.size === 0) inContainer.delete(id);
	};
	/** The lowest port that others reach the container at. */
	const lowestPort = (endpoint: Endpoint, { identity: { container } }: Resolved): number => {
		const there = container === undefined ? undefined : inContainer.get(container);
		const ports = [...(there?.values() ?? [])].filter(isOpen).map(({ port }) => port);
		return Math.min(endpoint.port, ...ports);
	};

	/** By which signals its processes are told to stop: what is configured, else what its container says. */
	const stopSignalsFor = (service: string, { container }: Resolved) => {
		const said = container?.state === "known" ? container.container.stopSignal : undefined;
		return signalNames(serviceOf(service)?.stopSignals ?? [said ?? DEFAULT_STOP_SIGNAL], constants.signals);
	};

	const remember = (endpoint: Endpoint, resolved: Resolved, judgement: Judgement): Looked => {
		const { backends } = judgement;
		const claims = backends.map((backend) => {
			const { stopping } = endpoint;
			const told = stopping && toldToStop(stopping, stopSignalsFor(backend.service, resolved));
			const service = serviceOf(backend.service);
			const ready = judgement.ready?.get(backend.service) ?? service?.ready;
			const asks = ready && questionOf(backend, ready, service?.hosts);
			return { backend, told: told && { ...told, atMs: toMs(told.atNs) }, asks };
		});
		if (known.get(endpoint.key)?.resolved.identity.container !== resolved.identity.container) unfile(endpoint.key);
		file(endpoint, resolved.identity.container);
		const looked = { ...judgement, endpoint, resolved, claims, why: whyNotElsewhere(judgement) };
		known.set(endpoint.key, looked);
		return looked;
	};
	const lookAgain = (endpoint: Endpoint, resolved = resolver.resolve(endpoint.sockets[0])): Looked =>
		remember(endpoint, resolved, judge(endpoint, resolved, lowestPort(endpoint, resolved)));
	const look = (endpoint: Endpoint): Looked => {
		const before = known.get(endpoint.key);
		const resolved = resolver.resolve(endpoint.sockets[0]);
		if (before === undefined || !sameSockets(before.endpoint, endpoint) || !sameResolved(before.resolved, resolved)) {
			return lookAgain(endpoint, resolved);
		}
		// A look at all of them finds mostly what is known.
		return before.endpoint === endpoint ? before : remember(endpoint, before.resolved, before);
	};

	return {
		look,
		lookAgain: (endpoint) => lookAgain(endpoint),
		lookAtSignals(endpoint) {
			const before = known.get(endpoint.key);
			// A process that is about to stop leaves no time for another look at its namespace.
			return before !== undefined && sameSockets(before.endpoint, endpoint)
				? remember(endpoint, before.resolved, before)
				: look(endpoint);
		},
		get: (key) => known.get(key),
		all: () => known.values(),
		forget(key) {
			unfile(key);
			known.delete(key);
		},
		ofContainer: (id) => [...(inContainer.get(id)?.values() ?? [])],
		besides(key) {
			const { identity, container } = known.get(key)?.resolved ?? {};
			const id = identity?.container;
			if (id === undefined || !needsLowest(container, catalogue?.of(id))) return [];
			return [...(inContainer.get(id)?.values() ?? [])].filter((other) => other.key !== key);
		},
		hasAt(place) {
			for (const { endpoint, resolved, verdict } of known.values()) {
				if (endpoint.port !== place.port || verdict.state === "pending") continue;
				if (leadsTo(endpoint, resolved, place)) return true;
			}
			return false;
		},
		reconfigure(next) {
			judge = createJudge(next, catalogue);
			configured = next.services;
			known.clear();
			inContainer.clear();
		},
	};
}

/** Whether others than its own namespace may reach it. */
function isOpen({ address }: Endpoint): boolean {
	const ip = parseIp(address);
	return ip === undefined || !isLoopback(ip);
}

function whyNotElsewhere({ verdict }: Judgement): string {
	if (verdict.state !== "in") return verdict.why;
	return `its listener is ${verdict.places.map(({ service, backend }) => `${backend} of ${service}`).join(", ")} by now`;
}

function sameSockets({ sockets: a }: Endpoint, { sockets: b }: Endpoint): boolean {
	return a.length === b.length && a.every((socket, index) => socket === b[index]);
}

function sameResolved(a: Resolved, b: Resolved): boolean {
	if (a.isHost !== b.isHost || a.addresses !== b.addresses || !sameLookup(a.container, b.container)) return false;
	return isDeepStrictEqual(a.identity, b.identity);
}

/** What an engine knows of a container is the same value for as long as nothing about it changes. */
function sameLookup(a: Resolved["container"], b: Resolved["container"]): boolean {
	if (a?.state === "known" && b?.state === "known") return a.container === b.container;
	if (a?.state === "waiting" && b?.state === "waiting") return a.why === b.why;
	return a === b;
}

/** Whether a connection to the place would reach the endpoint. */
function leadsTo({ address: bound }: Endpoint, resolved: Resolved, { address, netns }: Place): boolean {
	const { identity, isHost, addresses } = resolved;
	const ip = parseIp(address);
	if (ip !== undefined && isLoopback(ip) && !isIn(netns, { ...identity, isHost })) return false;
	if (bound === address) return true;
	if (bound !== "0.0.0.0" && bound !== "::") return false;
	if (address === "127.0.0.1" || address === "::1") return true;
	return addresses.state === "known" && [...addresses.ipv4, ...addresses.ipv6].includes(address);
}
