/**
 * What is known of every listener: who it is, the verdict, and what it leads to. Joins identity and rules; knows nothing of
 * what follows for the pools.
 */

import { constants } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Claim } from "./backends/claims.js";
import { questionOf } from "./backends/gate.js";
import { createJudge, type Judgement, type Verdict } from "./backends/judge.js";
import { isIn } from "./backends/proxy-netns.js";
import { signalNames, toldToStop } from "./backends/stopping.js";
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
	/** Judges one of which no more is new than what its processes were told; looks at it where more is. */
	lookAtSignals(endpoint: Endpoint): Looked;
	get(key: EndpointKey): (JudgedListener & Looked) | undefined;
	all(): IterableIterator<JudgedListener>;
	forget(key: EndpointKey): void;
	/** Whether the verdict is known on a listener that a connection to the address would reach. */
	hasAt(place: Place): boolean;
	/** Forgets all verdicts, and judges by other rules from now on. */
	reconfigure(config: Config): void;
}

/** @param toMs a time of the kernel's clock, in the clock of the pools */
export function createJudged(
	config: Config,
	resolver: Pick<Resolver, "resolve">,
	toMs: (atNs: number) => number,
): Judged {
	const known = new Map<EndpointKey, JudgedListener & Judgement & Looked>();
	let judge = createJudge(config);
	let stopSignals = stopSignalsOf(config);
	let { services } = config;

	const remember = (endpoint: Endpoint, resolved: Resolved, judgement: Judgement): Looked => {
		const { backends } = judgement;
		const claims = backends.map((backend) => {
			const told = toldToStop(endpoint.stopping, stopSignals.get(backend.service) ?? new Map());
			const service = services[backend.service];
			const ready = judgement.ready?.get(backend.service) ?? service?.ready;
			const asks = ready && questionOf(backend, ready, service?.hosts);
			return { backend, told: told && { ...told, atMs: toMs(told.atNs) }, asks };
		});
		const looked = { ...judgement, endpoint, resolved, claims, why: whyNotElsewhere(judgement) };
		known.set(endpoint.key, looked);
		return looked;
	};
	const look = (endpoint: Endpoint): Looked => {
		const before = known.get(endpoint.key);
		const resolved = resolver.resolve(endpoint.sockets[0]);
		if (before === undefined || !sameSockets(before.endpoint, endpoint) || !sameResolved(before.resolved, resolved)) {
			return remember(endpoint, resolved, judge(endpoint, resolved));
		}
		// A look at all of them finds mostly what is known.
		return before.endpoint === endpoint ? before : remember(endpoint, before.resolved, before);
	};

	return {
		look,
		lookAtSignals(endpoint) {
			const before = known.get(endpoint.key);
			// A process that is about to stop leaves no time for another look at its namespace.
			return before !== undefined && sameSockets(before.endpoint, endpoint)
				? remember(endpoint, before.resolved, before)
				: look(endpoint);
		},
		get: (key) => known.get(key),
		all: () => known.values(),
		forget: (key) => known.delete(key),
		hasAt(place) {
			for (const { endpoint, resolved, verdict } of known.values()) {
				if (endpoint.port !== place.port || verdict.state === "pending") continue;
				if (leadsTo(endpoint, resolved, place)) return true;
			}
			return false;
		},
		reconfigure(next) {
			judge = createJudge(next);
			stopSignals = stopSignalsOf(next);
			({ services } = next);
			known.clear();
		},
	};
}

/** Which signals tell the processes of each service to stop: their names, by number. */
function stopSignalsOf({ services }: Config): ReadonlyMap<string, ReadonlyMap<number, string>> {
	return new Map(
		Object.entries(services).map(([name, service]) => [name, signalNames(service.stopSignals, constants.signals)]),
	);
}

function whyNotElsewhere({ verdict }: Judgement): string {
	if (verdict.state !== "in") return verdict.why;
	return `its listener is ${verdict.places.map(({ service, backend }) => `${backend} of ${service}`).join(", ")} by now`;
}

function sameSockets({ sockets: a }: Endpoint, { sockets: b }: Endpoint): boolean {
	return a.length === b.length && a.every((socket, index) => socket === b[index]);
}

function sameResolved(a: Resolved, b: Resolved): boolean {
	return a.isHost === b.isHost && a.addresses === b.addresses && isDeepStrictEqual(a.identity, b.identity);
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
