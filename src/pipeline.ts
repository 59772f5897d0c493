/**
 * From what the kernel says to the desired backend set: table → identity → verdict → pools. Events fold into the table
 * and mark what changed; whoever acts on the result is told that there is one, and asks for it at its own pace. Knows
 * nothing of proxies.
 */

import type { Logger } from "pino";
import { type AdoptedServer, createAdopted } from "./backends/adopted.js";
import type { Backend, BackendRef, DesiredChange, DesiredSet, Hold } from "./backends/backend.js";
import type { Decisions } from "./backends/decisions.js";
import { withStatus } from "./backends/judge.js";
import { createPools } from "./backends/pools.js";
import { netnsOfService } from "./backends/proxy-netns.js";
import type { ServiceStatus } from "./backends/status.js";
import type { Config } from "./config/schema.js";
import { createHistory, type History } from "./explain/history.js";
import { createRecorder } from "./explain/record.js";
import type { Place, Presence } from "./identity/presence.js";
import type { Resolver } from "./identity/resolver.js";
import { createJudged, type JudgedListener, type Known, type Looked } from "./judged.js";
import type { KernelEvent, Read } from "./listeners/event.js";
import type { EndpointKey } from "./listeners/ids.js";
import { createTable, type Endpoint, type Merged } from "./listeners/table.js";
import { reportBackend, reportListener } from "./report.js";

export type { JudgedListener } from "./judged.js";

/** Pauses between two looks at what is pending: doubled from the first to the last, which then stays. */
const RETRY_MS = { first: 20, last: 10_000 } as const;

export interface PipelineOptions {
	readonly config: Config;
	readonly resolver: Resolver;
	/** The second opinion on a server that a proxy has and that the kernel's table lacks. */
	presenceOf(place: Place): Presence;
	readonly log: Logger;
	/** What a person said of backends, in an earlier run. */
	readonly holds?: readonly Hold[];
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** The kernel's clock, as in the events. */
	bootTimeNs(): number;
	/** Does what need not be done before a change is acted on: lines of the log, which take as long as the change. */
	later?(work: () => void): void;
	onChange(change: DesiredChange): void;
	/** What a person said differs from before: all of it, to be kept for the next run. */
	onHolds?(holds: readonly Hold[]): void;
	/** The kernel's table should be read again, soon. */
	requestRead(): void;
}

export interface Pipeline {
	onEvents(events: readonly KernelEvent[]): void;
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
	listeners(): Known[];
	/** How each rule decides on one of them; worked out when it is asked for. */
	decisions(listener: JudgedListener): Decisions;
	/** What happened to endpoints since the first read. */
	readonly history: Pick<History, "of" | "departed">;
	/** A time of the kernel's clock, in that of `now`. */
	toMs(atNs: number): number;
	close(): void;
}

/** What the log and the history are told of a listener. */
type News =
	| { readonly what: "listening"; readonly key: EndpointKey }
	| { readonly what: "renewed"; readonly before: Known; readonly now: Known }
	| { readonly what: "closed"; readonly listener: Known; readonly how: "event" | "read" };

export function createPipeline(options: PipelineOptions): Pipeline {
	const { config, resolver, log, now, bootTimeNs, onChange, onHolds, requestRead, later = (work) => work() } = options;
	const table = createTable();
	let { services, proxies } = config;
	const pools = createPools(config, options.holds);
	/** A time of the kernel's clock in that of `now`. */
	const toMs = (atNs: number) => now() - (bootTimeNs() - atNs) / 1e6;
	const history = createHistory();
	const recorder = createRecorder(history, toMs);
	/** Of this step. */
	let news: News[] = [];
	const judged = createJudged(config, resolver, toMs, (before, now) => news.push({ what: "renewed", before, now }));
	/** A listener that the kernel's table has was judged already: an old file must not overrule its verdict. */
	const presenceOf = ({ service, address, port }: AdoptedServer): Presence => {
		const place = { address, port, netns: netnsOfService(service, proxies) };
		return judged.hasAt(place) ? "closed" : options.presenceOf(place);
	};
	let adopted = createAdopted(presenceOf);
	let hasRead = false;
	let expiryTimer: NodeJS.Timeout | undefined;
	let expiryMs: number | undefined;
	let retryTimer: NodeJS.Timeout | undefined;
	let retryMs: number = RETRY_MS.first;
	let retryDueMs = Number.POSITIVE_INFINITY;
	let closed = false;

	const put = ({ key }: Endpoint, { claims, why }: Looked) => pools.set(key, claims, why, now());
	/** One that is pending from now on is looked at again, soon. */
	const look = (endpoint: Endpoint) => {
		const isPending = () => judged.get(endpoint.key)?.verdict.state === "pending";
		const was = isPending();
		put(endpoint, judged.look(endpoint));
		if (!was && isPending()) retryIn(RETRY_MS.first);
	};

	/** Looks at these as they are now: an answer to an earlier question would confirm itself. */
	const lookAnew = (endpoints: readonly Endpoint[]) => {
		resolver.expire();
		endpoints.forEach(look);
	};

	/** What is known of a listener, with what came of it in the pools. */
	const withPools = ({ verdict, ...listener }: Known): Known => ({
		...listener,
		verdict: withStatus(verdict, (ref) => pools.statusOf(ref, now())),
	});

	/** Ends a step: arms the timer for what ends by itself, and tells of the change. */
	const settle = ({ kernelAtNs, isAny = false }: { kernelAtNs?: number | undefined; isAny?: boolean } = {}) => {
		const { touched, removal, withheld } = pools.commit(now());
		const told = news;
		news = [];
		if (closed) return;
		arm(pools.dueMs);
		if (withheld) {
			log.warn("too many backends would leave at once: they stay until the kernel's table confirms it");
			requestRead();
		}
		if (touched.length > 0 || isAny) {
			onChange({
				atMs: now(),
				removal,
				touched: isAny ? undefined : touched,
				...(kernelAtNs !== undefined && { sinceKernelMs: () => (bootTimeNs() - kernelAtNs) / 1e6 }),
			});
		}
		if (told.length > 0 || touched.length > 0) tell(told, touched);
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
		const pending = [...judged.all()].filter(({ verdict }) => verdict.state === "pending");
		if (pending.length === 0) return;
		for (const { endpoint } of pending) look(endpoint);
		adopted.review(pools);
		settle();
		retryIn(Math.min(retryMs * 2, RETRY_MS.last));
	};

	/** Takes in what changed in the table; what a read no longer has is absent, and not known to have closed. */
	const take = ({ changes, again }: Merged, source: "event" | "read") => {
		let pending = false;
		for (const change of changes) {
			const { key } = change.endpoint;
			if (change.kind === "up") {
				const { endpoint, isNew } = change;
				put(endpoint, isNew ? judged.look(endpoint) : judged.lookAtSignals(endpoint));
				pending ||= judged.get(key)?.verdict.state === "pending";
				if (isNew) news.push({ what: "listening", key });
			} else {
				const listener = judged.get(key);
				if (listener !== undefined) news.push({ what: "closed", listener, how: source });
				judged.forget(key);
				if (source === "event") pools.close(key, now());
				else pools.set(key, [], "the kernel's table no longer has it", now());
			}
		}
		if (pending) retryIn(RETRY_MS.first);
		if (again) requestRead();
	};

	/** Tells the log and the history of a step, once it was acted on: that takes as long as the rest. */
	const tell = (told: readonly News[], touched: readonly BackendRef[]) => {
		// what listened already at the start is no news
		const isNews = hasRead;
		const atMs = now();
		later(() => {
			for (const one of told) {
				if (one.what === "renewed") {
					recorder.renewed(one.before, one.now, atMs);
					continue;
				}
				const known = one.what === "closed" ? one.listener : judged.get(one.key);
				if (known === undefined) continue;
				const listener = one.what === "closed" ? known : withPools(known);
				if (one.what === "closed") recorder.closed(known, one.how, atMs);
				else if (isNews) recorder.listened(listener);
				// also where it is held out in its service
				reportListener(log, one.what, listener, isNews && known.verdict.state !== "out");
			}
			for (const ref of touched) {
				const status = pools.statusOf(ref, now());
				if (isNews) recorder.backend(ref, status, pools.endpointsOf(ref), atMs);
				reportBackend(log, ref, status);
			}
		});
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
			const review = events.some((event) => event.kind !== "stopping" && adopted.concerns(event.listener.port));
			const [first] = events;
			take(table.fold(events), "event");
			if (review) adopted.review(pools);
			settle({ kernelAtNs: first?.kind === "stopping" ? first.atNs : first?.listener.atNs });
		},
		onRead(read) {
			const beganMs = toMs(read.beganNs);
			const waiting = pools.withheldBefore(beganMs);
			take(table.merge(read), "read");
			if (read.complete) {
				if (waiting.length > 0) lookAnew(waiting.flatMap((key) => judged.get(key)?.endpoint ?? []));
				pools.confirm(beganMs);
			}
			adopted.review(pools);
			settle();
			hasRead = true;
		},
		adopt(servers) {
			adopt(servers);
			settle();
		},
		recheck() {
			lookAnew(table.endpoints());
			adopted.review(pools);
			settle();
		},
		reconfigure(next) {
			({ services, proxies } = next);
			judged.reconfigure(next);
			pools.reconfigure(next);
			lookAnew(table.endpoints());
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
		backend: (ref) => (hasRead ? pools.backend(ref) : undefined),
		status: () => pools.status(now()),
		listeners: () => [...judged.all()].map(withPools),
		decisions: (listener) => judged.decisions(listener),
		history,
		toMs,
		close() {
			closed = true;
			clearTimeout(expiryTimer);
			clearTimeout(retryTimer);
		},
	};
}
