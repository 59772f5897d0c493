/**
 * What is known of every listener: who it is, the verdict, and what it leads to. Joins identity and rules; knows nothing of
 * what follows for the pools.
 */

import { constants } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Advertised } from "./backends/advertise.js";
import type { Backend } from "./backends/backend.js";
import type { Claim } from "./backends/claims.js";
import type { Decisions } from "./backends/decisions.js";
import { questionOf } from "./backends/gate.js";
import { type Circumstances, createJudge, type Judgement, type Verdict } from "./backends/judge.js";
import type { Catalogue } from "./backends/labels/catalogue.js";
import { HOST, isIn, isPortProxy, netnsOfService, type ProxyNetns } from "./backends/proxy-netns.js";
import { DEFAULT_STOP_SIGNAL, signalNames, toldToStop } from "./backends/stopping.js";
import { stuckOf } from "./backends/stuck.js";
import type { Config } from "./config/schema.js";
import { createIndex } from "./endpoint-index.js";
import { sameLookup } from "./identity/container.js";
import type { Place } from "./identity/presence.js";
import type { Resolved, Resolver } from "./identity/resolver.js";
import type { Routes } from "./identity/routes.js";
import { formatIp, isLoopback, isUnspecified, parseIp, unmapIp } from "./ip.js";
import type { EndpointKey } from "./listeners/ids.js";
import type { Endpoint } from "./listeners/table.js";

/** A listener with all that is known of it. */
export interface JudgedListener {
	readonly endpoint: Endpoint;
	readonly resolved: Resolved;
	readonly verdict: Verdict;
	/** No rule matches it, and that is all. */
	readonly isUnmatched?: boolean | undefined;
	/** Where other hosts reach it; absent where it is in no service, or none are told. */
	readonly elsewhere?: Advertised | undefined;
}

/** The same with what it leads to. */
export type Known = JudgedListener & Looked;

/** What a look at an endpoint comes to. */
export interface Looked {
	readonly claims: readonly Claim[];
	/** Why it leads to nothing else, as a clause. */
	readonly why: string;
}

/** The same, with what it was found by. */
interface Found extends Known {
	readonly judgement: Judgement;
	readonly routes: readonly Routes[];
	readonly isLowest: boolean;
}

export interface Judged {
	/** Resolves and judges an endpoint, as it is now. */
	look(endpoint: Endpoint): Looked;
	/** Judges it again although nothing of it is new: what its container may serve is another thing by now. */
	lookAgain(endpoint: Endpoint): Looked;
	/** Judges one of which no more is new than what its processes were told, or whether they can serve; looks at it where more is. */
	lookAtSignals(endpoint: Endpoint): Looked;
	get(key: EndpointKey): Known | undefined;
	all(): IterableIterator<Known>;
	count(): number;
	/** How each rule decides on one, worked out anew. */
	decisions(listener: JudgedListener): Decisions;
	forget(key: EndpointKey): void;
	/** Those of a container, by its full id. */
	ofContainer(id: string): Endpoint[];
	/** Those in the network namespaces of containers, by their full ids: what happens to one happens to all in there. */
	besides(containers: Iterable<string>): Endpoint[];
	/**
	 * Those to be looked at again, since the addresses of their namespace changed, or those of another that has them, too; or
	 * since the lowest port of their container is another one.
	 */
	disturbed(): Endpoint[];
	/**
	 * Whether the verdict is known on a listener that a connection to the address would reach.
	 *
	 * @param isOursAlone default: true; false where one that no rule matches says nothing: a container may be a host with a daemon of its own
	 */
	hasAt(place: Place, isOursAlone?: boolean): boolean;
	/** Whether the host may pass connections to the address on to a container of which no engine has told yet. */
	mayPassOn(place: Place): boolean;
	/** Forgets all verdicts, and judges by other rules from now on. */
	reconfigure(config: Config): void;
}

/**
 * @param toMs a time of the kernel's clock, in the clock of the pools
 * @param catalogue what containers declare; default: nothing
 * @param onRenewed something about a listener that was known already is not as it was; in the middle of a look
 */
export function createJudged(
	config: Config,
	resolver: Pick<Resolver, "resolve" | "routesOf" | "want" | "forget" | "disturbed">,
	toMs: (atNs: number) => number,
	catalogue?: Pick<Catalogue, "of" | "services">,
	onRenewed: (before: Known, now: Known) => void = () => {},
): Judged {
	const known = new Map<EndpointKey, Found>();
	/** As they were by the rules before, until they are looked at by the new ones. */
	let byOldRules = new Map<EndpointKey, Known>();
	const index = createIndex(resolver);
	let judge = createJudge(config, catalogue);
	let { services, proxies } = config;
	/** As it is by what containers declare, too. */
	const serviceOf = (name: string) => (catalogue?.services ?? services)[name];
	let seenFrom = netnsesOf(proxies);
	let routes: readonly Routes[] = [];

	/** Those of the namespaces in `seenFrom`; the same value again as long as none of them changes. */
	const routesNow = (): readonly Routes[] => {
		const now = seenFrom.map(resolver.routesOf);
		if (now.length !== routes.length || now.some((one, at) => one !== routes[at])) routes = now;
		return routes;
	};

	/** Whether a label that names no port means this one, as far as is known. */
	const isLowest = ({ port }: Endpoint, { identity: { container } }: Resolved): boolean =>
		container === undefined || port <= (index.lowestPort(container) ?? port);

	const circumstances = (endpoint: Endpoint, resolved: Resolved): Circumstances => ({
		routesOf: resolver.routesOf,
		isLowest: isLowest(endpoint, resolved),
	});

	/** By which signals its processes are told to stop: what is configured, else what its container says. */
	const stopSignalsFor = (service: string, { container }: Resolved) => {
		const said = container?.state === "known" ? container.container.stopSignal : undefined;
		return signalNames(serviceOf(service)?.stopSignals ?? [said ?? DEFAULT_STOP_SIGNAL], constants.signals);
	};

	const claimsOf = (endpoint: Endpoint, resolved: Resolved, judgement: Judgement): readonly Claim[] => {
		const { stopping } = endpoint;
		const stuck = stuckOf(endpoint, toMs);
		return judgement.backends.map((backend) => {
			const told = stopping && toldToStop(stopping, stopSignalsFor(backend.service, resolved));
			const service = serviceOf(backend.service);
			const ready = judgement.ready?.get(backend.service) ?? service?.ready;
			const asks = ready && questionOf(backend, ready, service?.hosts);
			return { backend, told: told && { ...told, atMs: toMs(told.atNs) }, stuck, asks };
		});
	};

	/** @param by the routes that it was judged by */
	const remember = (endpoint: Endpoint, resolved: Resolved, judgement: Judgement, by: Found["routes"]): Looked => {
		const looked: Found = {
			endpoint,
			resolved,
			verdict: judgement.verdict,
			isUnmatched: judgement.isUnmatched,
			judgement,
			claims: claimsOf(endpoint, resolved, judgement),
			routes: by,
			isLowest: isLowest(endpoint, resolved),
			why: whyNotElsewhere(judgement),
		};
		const before = known.get(endpoint.key) ?? byOldRules.get(endpoint.key);
		if (before !== undefined) onRenewed(before, looked);
		byOldRules.delete(endpoint.key);
		known.set(endpoint.key, looked);
		index.file(endpoint, resolved.identity.container, judgement.isWanted);
		return looked;
	};
	const judgeAnew = (endpoint: Endpoint, resolved: Resolved, by: Found["routes"]): Looked =>
		remember(endpoint, resolved, judge(endpoint, resolved, circumstances(endpoint, resolved)), by);
	const look = (endpoint: Endpoint): Looked => {
		const before = known.get(endpoint.key);
		const resolved = resolver.resolve(endpoint.sockets[0]);
		const by = routesNow();
		const isSame =
			before?.routes === by &&
			before.isLowest === isLowest(endpoint, resolved) &&
			sameSockets(before.endpoint, endpoint) &&
			sameResolved(before.resolved, resolved);
		if (!isSame) return judgeAnew(endpoint, resolved, by);
		// A look at all of them finds mostly what is known.
		return before.endpoint === endpoint ? before : remember(endpoint, before.resolved, before.judgement, by);
	};

	return {
		look,
		lookAgain: (endpoint) => judgeAnew(endpoint, resolver.resolve(endpoint.sockets[0]), routesNow()),
		lookAtSignals(endpoint) {
			const before = known.get(endpoint.key);
			if (before === undefined || !sameSockets(before.endpoint, endpoint)) return look(endpoint);
			// A process that is about to stop, or is paused, leaves no time for another look at its namespace.
			const looked = { ...before, endpoint, claims: claimsOf(endpoint, before.resolved, before.judgement) };
			onRenewed(before, looked);
			known.set(endpoint.key, looked);
			index.renew(endpoint);
			return looked;
		},
		get: (key) => known.get(key),
		all: () => known.values(),
		count: () => known.size,
		forget(key) {
			byOldRules.delete(key);
			known.delete(key);
			index.drop(key);
		},
		ofContainer: index.ofContainer,
		besides: index.besides,
		disturbed: index.disturbed,
		decisions({ endpoint, resolved }) {
			const decisions: Decisions = { rules: [], labels: [], misfits: [], refused: [] };
			judge(endpoint, resolved, { ...circumstances(endpoint, resolved), decisions });
			return decisions;
		},
		hasAt(place, isOursAlone = true) {
			let isPassedOn = false;
			let waits = false;
			for (const { endpoint, resolved, verdict, judgement, isUnmatched } of known.values()) {
				waits ||= resolved.container?.state === "waiting";
				if (verdict.state === "pending" || (isUnmatched === true && !isOursAlone)) continue;
				if (judgement.backends.some((backend) => isAt(backend, place, proxies))) return true;
				if (endpoint.port !== place.port || !leadsTo(endpoint, resolved, place)) continue;
				if (!isPortProxy({ ...resolved.identity, isHost: resolved.isHost })) return true;
				isPassedOn = true;
			}
			// a container that no engine has told of yet may be the one behind the port
			return isPassedOn && !waits;
		},
		mayPassOn({ address, netns }) {
			const ip = parseIp(address);
			if (netns !== HOST || ip === undefined || !isLoopback(ip)) return false;
			return [...known.values()].some(({ resolved }) => resolved.container?.state === "waiting");
		},
		reconfigure(next) {
			judge = createJudge(next, catalogue);
			({ services, proxies } = next);
			seenFrom = netnsesOf(proxies);
			byOldRules = new Map(known);
			known.clear();
			index.clear();
		},
	};
}

function whyNotElsewhere({ verdict }: Judgement): string {
	if (verdict.state !== "in") return verdict.why;
	return `its listener is ${verdict.places.map(({ service, backend }) => `${backend} of ${service}`).join(", ")} by now`;
}

function sameSockets({ sockets: a }: Endpoint, { sockets: b }: Endpoint): boolean {
	return a.length === b.length && a.every((socket, index) => socket === b[index]);
}

function sameResolved(a: Resolved, b: Resolved): boolean {
	if (a === b) return true;
	return (
		a.isHost === b.isHost &&
		a.addresses === b.addresses &&
		a.shared === b.shared &&
		sameLookup(a.container, b.container) &&
		isDeepStrictEqual(a.identity, b.identity)
	);
}

/** From where proxies see their services. */
function netnsesOf(proxies: Config["proxies"]): ProxyNetns[] {
	return [...new Set([HOST, ...proxies.map(({ netns }) => netns)])];
}

/** Whether a proxy that is there would reach the backend at the place. */
function isAt({ service, address, port }: Backend, place: Place, proxies: Config["proxies"]): boolean {
	return address === place.address && port === place.port && netnsOfService(service, proxies) === place.netns;
}

/** Whether a connection to the place would reach the endpoint. */
function leadsTo(endpoint: Endpoint, resolved: Resolved, { address, netns }: Place): boolean {
	const { identity, isHost, addresses } = resolved;
	const ip = parseIp(address);
	const parsed = parseIp(endpoint.address);
	const bound = parsed && unmapIp(parsed);
	if (ip === undefined || bound === undefined) return false;
	if (isLoopback(ip) && !isIn(netns, { ...identity, isHost })) return false;
	if (!isUnspecified(bound)) return formatIp(bound) === address;
	if (address === "127.0.0.1" || address === "::1") return true;
	return addresses.state === "known" && [...addresses.ipv4, ...addresses.ipv6].includes(address);
}
