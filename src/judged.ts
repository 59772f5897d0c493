/**
 * What is known of every listener: who it is, the verdict, and what it leads to. Joins identity and rules; knows nothing of
 * what follows for the pools.
 */

import { constants } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Claim } from "./backends/claims.js";
import type { Decisions } from "./backends/decisions.js";
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
	/** No rule matches it, and that is all. */
	readonly isUnmatched?: boolean;
}

/** The same with what it leads to. */
export type Known = JudgedListener & Looked;

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
	get(key: EndpointKey): Known | undefined;
	all(): IterableIterator<Known>;
	/** How each rule decides on one, worked out anew. */
	decisions(listener: JudgedListener): Decisions;
	forget(key: EndpointKey): void;
	/** Whether the verdict is known on a listener that a connection to the address would reach. */
	hasAt(place: Place): boolean;
	/** Forgets all verdicts, and judges by other rules from now on. */
	reconfigure(config: Config): void;
}

/**
 * @param toMs a time of the kernel's clock, in the clock of the pools
 * @param onRenewed something about a listener that was known already is not as it was; in the middle of a look
 */
export function createJudged(
	config: Config,
	resolver: Pick<Resolver, "resolve">,
	toMs: (atNs: number) => number,
	onRenewed: (before: Known, now: Known) => void = () => {},
): Judged {
	const known = new Map<EndpointKey, Judgement & Known>();
	/** As they were by the rules before, until they are looked at by the new ones. */
	let byOldRules = new Map<EndpointKey, Known>();
	let judge = createJudge(config);
	let stopSignals = stopSignalsOf(config);

	const remember = (endpoint: Endpoint, resolved: Resolved, judgement: Judgement): Looked => {
		const { verdict, backends, isUnmatched = false } = judgement;
		const claims = backends.map((backend) => {
			const told = toldToStop(endpoint.stopping, stopSignals.get(backend.service) ?? new Map());
			return { backend, told: told && { ...told, atMs: toMs(told.atNs) } };
		});
		const looked = { endpoint, resolved, verdict, isUnmatched, backends, claims, why: whyNotElsewhere(judgement) };
		const before = known.get(endpoint.key) ?? byOldRules.get(endpoint.key);
		if (before !== undefined) onRenewed(before, looked);
		byOldRules.delete(endpoint.key);
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
		decisions({ endpoint, resolved }) {
			const decisions: Decisions = { rules: [], refused: [] };
			judge(endpoint, resolved, decisions);
			return decisions;
		},
		forget(key) {
			known.delete(key);
			byOldRules.delete(key);
		},
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
			byOldRules = new Map(known);
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
