/**
 * From what the kernel says to the desired backend set: table → identity → verdict → pools. Events fold into the table
 * and mark what changed; whoever acts on the result is told that there is one, and asks for it at its own pace. Knows
 * nothing of proxies.
 */

import { constants } from "node:os";
import type { Logger } from "pino";
import { type AdoptedServer, createAdopted } from "./backends/adopted.js";
import type { Backend, BackendRef, DesiredSet, Hold } from "./backends/backend.js";
import { createJudge, type Judgement, type Verdict } from "./backends/judge.js";
import { createPools } from "./backends/pools.js";
import type { ServiceStatus } from "./backends/status.js";
import { signalNames, toldToStop } from "./backends/stopping.js";
import type { Config } from "./config/schema.js";
import type { Presence } from "./identity/presence.js";
import type { Resolved, Resolver } from "./identity/resolver.js";
import type { Read, SocketEvent } from "./listeners/event.js";
import type { EndpointKey } from "./listeners/ids.js";
import { createTable, type Endpoint, type Merged } from "./listeners/table.js";

/** Pauses between two looks at what is pending: doubled from the first to the last, which then stays. */
const RETRY_MS = { first: 20, last: 10_000 } as const;

/** A listener with all that is known of it. */
export interface JudgedListener {
	readonly endpoint: Endpoint;
	readonly resolved: Resolved;
	readonly verdict: Verdict;
}

/** The desired set differs from before. */
export interface DesiredChange {
	/** When it was known here, in the clock of `now`. */
	readonly atMs: number;
	readonly removal: boolean;
	/** The backends that came, went or changed; undefined when it may be any. */
	readonly touched: readonly BackendRef[] | undefined;
	/** From the kernel's event to here, where one event caused it. */
	readonly kernelToHereMs?: number;
}

export interface PipelineOptions {
	readonly config: Config;
	readonly resolver: Resolver;
	/** The second opinion on a server that a proxy has and that the kernel's table lacks. */
	presenceOf(address: string, port: number): Presence;
	readonly log: Logger;
	/** What a person said of backends, in an earlier run. */
	readonly holds?: readonly Hold[];
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** The kernel's clock, as in the events. */
	bootTimeNs(): number;
	onChange(change: DesiredChange): void;
	/** What a person said differs from before: all of it, to be kept for the next run. */
	onHolds?(holds: readonly Hold[]): void;
	/** The kernel's table should be read again, soon. */
	requestRead(): void;
}

export interface Pipeline {
	onEvents(events: readonly SocketEvent[]): void;
	onRead(read: Read): void;
	/** Takes in what the proxies have from an earlier run; after the first read, so that only what is missing stays. */
	adopt(servers: readonly Omit<AdoptedServer, "weight">[]): void;
	/** Looks again at every listener: addresses may have changed without an event. */
	recheck(): void;
	/** Judges everything anew, by other rules. */
	reconfigure(config: Config): void;
	/** A person's word on a backend, there or not: it wins over all else until it is released. */
	hold(ref: BackendRef, state: Hold["state"]): void;
	/** False when nobody held it. */
	release(ref: BackendRef): boolean;
	holds(): readonly Hold[];
	/** Undefined until the first read: unknown is not empty. */
	desired(): DesiredSet | undefined;
	/** What `desired` has of one backend, at once. */
	backend(ref: BackendRef): Backend | undefined;
	/** Every backend that listens or is in the set, with its state and why it is so. */
	status(): readonly ServiceStatus[];
	listeners(): JudgedListener[];
	close(): void;
}

interface Known extends Judgement {
	readonly endpoint: Endpoint;
	readonly resolved: Resolved;
}

export function createPipeline(options: PipelineOptions): Pipeline {
	const { config, resolver, log, now, bootTimeNs, onChange, onHolds, requestRead } = options;
	const table = createTable();
	const known = new Map<EndpointKey, Known>();
	let judge = createJudge(config);
	let { services } = config;
	let stopSignals = stopSignalsOf(config);
	const pools = createPools(config, options.holds);
	/** A listener that the kernel's table has was judged already: an old file must not overrule its verdict. */
	const isJudged = (address: string, port: number): boolean =>
		[...known.values()].some(
			({ endpoint, resolved, verdict }) =>
				endpoint.port === port && verdict.state !== "pending" && leadsTo(endpoint, resolved, address),
		);
	const presenceOf = (address: string, port: number): Presence =>
		isJudged(address, port) ? "closed" : options.presenceOf(address, port);
	let adopted = createAdopted(presenceOf);
	let hasRead = false;
	let expiryTimer: NodeJS.Timeout | undefined;
	let expiryMs: number | undefined;
	let retryTimer: NodeJS.Timeout | undefined;
	let retryMs: number = RETRY_MS.first;
	let retryDueMs = Number.POSITIVE_INFINITY;
	let closed = false;

	/** A time of the kernel's clock in that of `now`. */
	const toMs = (atNs: number) => now() - (bootTimeNs() - atNs) / 1e6;

	const look = (endpoint: Endpoint) => {
		const resolved = resolver.resolve(endpoint.sockets[0]);
		const judgement = judge(endpoint, resolved);
		known.set(endpoint.key, { endpoint, resolved, ...judgement });
		const claims = judgement.backends.map((backend) => {
			const told = toldToStop(endpoint.stopping, stopSignals.get(backend.service) ?? new Map());
			return { backend, told: told && { ...told, atMs: toMs(told.atNs) } };
		});
		pools.set(endpoint.key, claims, movedWhy(judgement), now());
	};

	/** Ends a step: arms the timer for what ends by itself, and tells of the change. */
	const settle = ({ kernelAtNs, isAny = false }: { kernelAtNs?: number | undefined; isAny?: boolean } = {}) => {
		const { touched, removal, withheld } = pools.commit(now());
		if (closed) return;
		arm(pools.dueMs);
		if (withheld) {
			log.warn("too many backends would leave at once: they stay until the kernel's table confirms it");
			requestRead();
		}
		if (touched.length === 0 && !isAny) return;
		onChange({
			atMs: now(),
			removal,
			touched: isAny ? undefined : touched,
			...(kernelAtNs !== undefined && { kernelToHereMs: (bootTimeNs() - kernelAtNs) / 1e6 }),
		});
		touched.forEach(reportState);
	};

	const arm = (dueMs: number | undefined) => {
		if (dueMs === expiryMs) return;
		clearTimeout(expiryTimer);
		expiryMs = dueMs;
		if (dueMs === undefined) return;
		expiryTimer = setTimeout(
			() => {
				expiryMs = undefined;
				pools.expire(now());
				settle();
			},
			Math.max(0, dueMs - now()),
		);
	};

	/** Never later than what was due before: whoever flaps must not keep others waiting. */
	const retryIn = (ms: number) => {
		if (closed || now() + ms >= retryDueMs) return;
		clearTimeout(retryTimer);
		retryMs = ms;
		retryDueMs = now() + ms;
		retryTimer = setTimeout(retryPending, ms);
	};

	const retryPending = () => {
		retryDueMs = Number.POSITIVE_INFINITY;
		const pending = [...known.values()].filter(({ verdict }) => verdict.state === "pending");
		if (pending.length === 0) return;
		for (const { endpoint } of pending) look(endpoint);
		settle();
		retryIn(Math.min(retryMs * 2, RETRY_MS.last));
	};

	/** Takes in what changed in the table; what a read no longer has is absent, and not known to have closed. */
	const take = ({ changes, again }: Merged, source: "events" | "read"): EndpointKey[] => {
		const fresh: EndpointKey[] = [];
		let pending = false;
		for (const change of changes) {
			const { key } = change.endpoint;
			if (change.kind === "up") {
				look(change.endpoint);
				pending ||= known.get(key)?.verdict.state === "pending";
				if (change.isNew) fresh.push(key);
			} else {
				report("closed", key);
				known.delete(key);
				if (source === "events") pools.close(key, now());
				else pools.set(key, [], "the kernel's table no longer has it", now());
			}
		}
		if (pending) retryIn(RETRY_MS.first);
		if (again) requestRead();
		return fresh;
	};

	/** A line for a listener that came or went; at `info` where a service cares. */
	const report = (what: "listening" | "closed", key: EndpointKey) => {
		const entry = known.get(key);
		if (entry === undefined) return;
		const { endpoint, resolved } = entry;
		const verdict = verdictOf(entry);
		const [place] = verdict.state === "in" ? verdict.places : [];
		const level = verdict.state === "out" || !hasRead ? "debug" : "info";
		log[level](
			{
				...place,
				address: endpoint.address,
				port: endpoint.port,
				pid: endpoint.sockets[0].pid,
				comm: resolved.identity.comm,
				netns: resolved.identity.netnsName ?? resolved.identity.netnsInode,
				hostname: resolved.identity.hostname,
				...(resolved.identity.container !== undefined && { container: resolved.identity.container.slice(0, 12) }),
				verdict: verdict.state === "in" ? "in" : `${verdict.state}: ${verdict.why}`,
			},
			what,
		);
	};

	/** A line for a backend that listens and is not simply ready. */
	const reportState = (ref: BackendRef) => {
		const status = pools.statusOf(ref, now());
		if (status === undefined || status.state === "ready" || status.state === "closing") return;
		log.info({ service: ref.service, backend: ref.id, state: status.state, held: status.held }, status.reason);
	};

	const verdictOf = ({ verdict }: Judgement): Verdict => {
		if (verdict.state !== "in") return verdict;
		const places = verdict.places.map((place) => {
			const status = pools.statusOf({ service: place.service, id: place.backend }, now());
			if (status === undefined || status.state === "ready") return place;
			return { ...place, state: status.state, why: status.reason };
		});
		if (places.some(({ state }) => state !== "out")) return { state: "in", places };
		return { state: "out", why: places.map(({ service, why = "" }) => `${service}: ${why}`).join("; ") };
	};

	const tellHolds = () => {
		settle();
		onHolds?.(pools.holds());
	};

	/** Puts in what proxies have of the services that there are. */
	const adopt = (servers: readonly Omit<AdoptedServer, "weight">[]) => {
		const ours = servers.flatMap((server) => {
			const weight = services[server.service]?.weight;
			return weight === undefined ? [] : [{ ...server, weight }];
		});
		adopted.adopt(ours, pools, now());
	};

	return {
		onEvents(events) {
			const review = events.some(({ listener }) => adopted.concerns(listener.port));
			const fresh = take(table.fold(events), "events");
			if (review) adopted.review(pools);
			settle({ kernelAtNs: events[0]?.listener.atNs });
			for (const key of fresh) report("listening", key);
		},
		onRead(read) {
			const beganMs = toMs(read.beganNs);
			const waiting = pools.withheldBefore(beganMs);
			const fresh = take(table.merge(read), "read");
			if (read.complete) {
				for (const key of waiting) {
					const entry = known.get(key);
					if (entry !== undefined) look(entry.endpoint);
				}
				pools.confirm(beganMs);
			}
			adopted.review(pools);
			settle();
			for (const key of fresh) report("listening", key);
			hasRead = true;
		},
		adopt(servers) {
			adopt(servers);
			settle();
		},
		recheck() {
			table.endpoints().forEach(look);
			adopted.review(pools);
			settle();
		},
		reconfigure(next) {
			judge = createJudge(next);
			({ services } = next);
			stopSignals = stopSignalsOf(next);
			pools.reconfigure(next);
			table.endpoints().forEach(look);
			const carried = adopted.servers();
			adopted = createAdopted(presenceOf);
			adopt(carried);
			settle({ isAny: true });
		},
		hold(ref, state) {
			pools.hold({ service: ref.service, id: ref.id, state });
			tellHolds();
		},
		release(ref) {
			const wasHeld = pools.release(ref);
			if (wasHeld) tellHolds();
			return wasHeld;
		},
		holds: () => pools.holds(),
		desired: () => (hasRead ? pools.desired() : undefined),
		backend: (ref) => pools.backend(ref),
		status: () => pools.status(now()),
		listeners: () =>
			[...known.values()].map((entry) => ({
				endpoint: entry.endpoint,
				resolved: entry.resolved,
				verdict: verdictOf(entry),
			})),
		close() {
			closed = true;
			clearTimeout(expiryTimer);
			clearTimeout(retryTimer);
		},
	};
}

/** Which signals tell the processes of each service to stop: their names, by number. */
function stopSignalsOf({ services }: Config): ReadonlyMap<string, ReadonlyMap<number, string>> {
	return new Map(
		Object.entries(services).map(([name, service]) => [name, signalNames(service.stopSignals, constants.signals)]),
	);
}

/** Why a listener no longer leads to where it did. */
function movedWhy({ verdict }: Judgement): string {
	if (verdict.state !== "in") return verdict.why;
	return `its listener is at ${verdict.places.map(({ service, backend }) => `${backend} in ${service}`).join(", ")} by now`;
}

/** Whether a connection to the address would reach the endpoint. */
function leadsTo({ address: bound }: Endpoint, { addresses, isHost }: Resolved, address: string): boolean {
	if (bound === address) return true;
	if (bound !== "0.0.0.0" && bound !== "::") return false;
	if (isHost && (address === "127.0.0.1" || address === "::1")) return true;
	return addresses.state === "known" && [...addresses.ipv4, ...addresses.ipv6].includes(address);
}
