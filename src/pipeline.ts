/**
 * From what the kernel says to the desired backend set: table → identity → verdict → pools. Events fold into the table
 * and mark what changed; whoever acts on the result is told that there is one, and asks for it at its own pace. Knows
 * nothing of proxies.
 */

import type { Logger } from "pino";
import { type AdoptedServer, createAdopted } from "./backends/adopted.js";
import type { BackendId, BackendRef, BackendState, DesiredSet, Hold } from "./backends/backend.js";
import { createJudge, type Judgement, type Verdict } from "./backends/judge.js";
import { createPools, type PoolChange } from "./backends/pools.js";
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

/** A service as it is now, for people. */
export interface ServiceStatus {
	readonly name: string;
	readonly backends: readonly {
		readonly id: BackendId;
		/** `out`: it listens, and is not in the set. */
		readonly state: BackendState | "out";
		readonly held: boolean;
		readonly reason: string;
		/** Since when, in the clock of `now`. */
		readonly sinceMs: number;
	}[];
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
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** The kernel's clock, as in the events. */
	bootTimeNs(): number;
	onChange(change: DesiredChange): void;
	/** The kernel's table should be read again, soon. */
	requestRead(): void;
	/** What a person held before. */
	readonly holds?: readonly Hold[];
	/** What is held differs from before. */
	onHolds?(holds: readonly Hold[]): void;
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
	/** Undefined until the first read: unknown is not empty. */
	desired(): DesiredSet | undefined;
	listeners(): JudgedListener[];
	status(): readonly ServiceStatus[];
	holds(): readonly Hold[];
	hold(backend: BackendRef, state: Hold["state"]): void;
	/** False when it was not held. */
	release(backend: BackendRef): boolean;
	close(): void;
}

interface Known extends Judgement {
	readonly endpoint: Endpoint;
	readonly resolved: Resolved;
}

export function createPipeline(options: PipelineOptions): Pipeline {
	const { config, resolver, log, now, bootTimeNs, onChange, requestRead } = options;
	const table = createTable();
	const known = new Map<EndpointKey, Known>();
	let judge = createJudge(config);
	let { services } = config;
	let pools = createPools(services);
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
	let retryTimer: NodeJS.Timeout | undefined;
	let retryMs: number = RETRY_MS.first;
	let retryDueMs = Number.POSITIVE_INFINITY;
	let closed = false;

	// stub: the real ones come with the holds of the backends stage
	const nameOf = ({ service, id }: BackendRef) => `${service}/${id}`;
	const holds = new Map((options.holds ?? []).map((hold) => [nameOf(hold), hold]));

	const look = (endpoint: Endpoint): PoolChange => {
		const resolved = resolver.resolve(endpoint.sockets[0]);
		const judgement = judge(endpoint, resolved);
		known.set(endpoint.key, { endpoint, resolved, ...judgement });
		return pools.set(endpoint.key, judgement.backends, now());
	};

	const forget = (endpoint: Endpoint): PoolChange => {
		known.delete(endpoint.key);
		return pools.close(endpoint.key, now());
	};

	/** Arms the timers for what ends by itself, and tells of the change. */
	const settle = (changes: readonly PoolChange[], kernelAtNs?: number) => {
		clearTimeout(expiryTimer);
		if (closed) return;
		const dueMs = pools.nextExpiryMs;
		if (dueMs !== undefined) {
			expiryTimer = setTimeout(() => settle([pools.expire(now())]), Math.max(0, dueMs - now()));
		}
		if (!changes.some(({ changed }) => changed)) return;
		onChange({
			atMs: now(),
			removal: changes.some(({ removal }) => removal),
			touched: undefined,
			...(kernelAtNs !== undefined && { kernelToHereMs: (bootTimeNs() - kernelAtNs) / 1e6 }),
		});
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
		settle(pending.map(({ endpoint }) => look(endpoint)));
		retryIn(Math.min(retryMs * 2, RETRY_MS.last));
	};

	const take = ({ changes, again }: Merged, review: boolean, kernelAtNs?: number) => {
		const results: PoolChange[] = [];
		let pending = false;
		for (const change of changes) {
			if (change.kind === "up") {
				results.push(look(change.endpoint));
				pending ||= known.get(change.endpoint.key)?.verdict.state === "pending";
				if (change.isNew) report("listening", change.endpoint.key);
			} else {
				report("closed", change.endpoint.key);
				results.push(forget(change.endpoint));
			}
		}
		if (pending) retryIn(RETRY_MS.first);
		if (again) requestRead();
		if (review) results.push(...adopted.review(pools, now()));
		settle(results, kernelAtNs);
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

	const verdictOf = ({ verdict, backends }: Judgement): Verdict => {
		const contested = backends.find(pools.isContested);
		if (contested === undefined) return verdict;
		return { state: "out", why: `${contested.service}: another network namespace claims ${contested.id}, too` };
	};

	return {
		onEvents(events) {
			const review = events.some(({ listener }) => adopted.concerns(listener.port));
			take(table.fold(events), review, events[0]?.listener.atNs);
		},
		onRead(read) {
			take(table.merge(read), true);
			hasRead = true;
		},
		adopt(servers) {
			const ours = servers.flatMap((server) => {
				const weight = services[server.service]?.weight;
				return weight === undefined ? [] : [{ ...server, weight }];
			});
			settle(adopted.adopt(ours, pools, now()));
		},
		recheck() {
			settle([...table.endpoints().map(look), ...adopted.review(pools, now())]);
		},
		reconfigure(next) {
			judge = createJudge(next);
			({ services } = next);
			const closing = pools.closing();
			pools = createPools(services);
			const carried = adopted.servers();
			adopted = createAdopted(presenceOf);
			const looked = table.endpoints().map(look);
			const readopted = adopted.adopt(carried, pools, now());
			pools.keep(closing);
			settle([...looked, ...readopted, { changed: true, removal: false }]);
		},
		desired: () => (hasRead ? pools.desired() : undefined),
		listeners: () =>
			[...known.values()].map((entry) => ({
				endpoint: entry.endpoint,
				resolved: entry.resolved,
				verdict: verdictOf(entry),
			})),
		status: () =>
			pools.desired().map(({ name, backends }) => ({
				name,
				backends: backends.map((backend) => {
					const hold = holds.get(nameOf(backend));
					return {
						id: backend.id,
						state: hold?.state ?? backend.state,
						held: hold !== undefined,
						reason: "it listens",
						sinceMs: 0,
					};
				}),
			})),
		holds: () => [...holds.values()],
		hold({ service, id }, state) {
			holds.set(nameOf({ service, id }), { service, id, state });
			options.onHolds?.([...holds.values()]);
		},
		release(backend) {
			const was = holds.delete(nameOf(backend));
			options.onHolds?.([...holds.values()]);
			return was;
		},
		close() {
			closed = true;
			clearTimeout(expiryTimer);
			clearTimeout(retryTimer);
		},
	};
}

/** Whether a connection to the address would reach the endpoint. */
function leadsTo({ address: bound }: Endpoint, { addresses, isHost }: Resolved, address: string): boolean {
	if (bound === address) return true;
	if (bound !== "0.0.0.0" && bound !== "::") return false;
	if (isHost && (address === "127.0.0.1" || address === "::1")) return true;
	return addresses.state === "known" && [...addresses.ipv4, ...addresses.ipv6].includes(address);
}
