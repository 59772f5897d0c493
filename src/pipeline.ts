/**
 * From what the kernel says to the desired backend set: table → identity → verdict → pools. Events fold into the table
 * and mark what changed; whoever acts on the result is told that there is one, and asks for it at its own pace. Knows
 * nothing of proxies.
 */

import type { Logger } from "pino";
import { createAlarm } from "./alarm.js";
import { type AdoptedServer, createAdopted, refOf } from "./backends/adopted.js";
import type { Backend, BackendRef, DesiredChange, DesiredSet, Hold } from "./backends/backend.js";
import type { Decisions } from "./backends/decisions.js";
import { withStatus } from "./backends/judge.js";
import type { CatalogueChange } from "./backends/labels/catalogue.js";
import { createPools } from "./backends/pools.js";
import { netnsOfService } from "./backends/proxy-netns.js";
import type { ServiceStatus } from "./backends/status.js";
import type { Config } from "./config/schema.js";
import { createDiscovery } from "./discovery.js";
import { createHistory, type History } from "./explain/history.js";
import { createRecorder } from "./explain/record.js";
import type { Container, ContainerChange } from "./identity/container.js";
import type { Place, Presence } from "./identity/presence.js";
import type { Resolver } from "./identity/resolver.js";
import { createJudged, type Judged, type JudgedListener, type Known, type Looked } from "./judged.js";
import type { KernelEvent, Read } from "./listeners/event.js";
import type { EndpointKey } from "./listeners/ids.js";
import { createTable, type Endpoint, type Merged } from "./listeners/table.js";
import { createGates } from "./readiness/gates.js";
import type { Probe } from "./readiness/probe.js";
import { reportBackend, reportGate, reportListener } from "./report.js";
import type { Remembered } from "./state.js";

export type { JudgedListener } from "./judged.js";

/** Pauses between two looks at what is pending: doubled from the first to the last, which then stays. */
const RETRY_MS = { first: 20, last: 10_000 } as const;

/** How far news of addresses go within one step; what is left goes on in the next one. */
const MAX_ROUNDS = 4;

export interface PipelineOptions {
	readonly config: Config;
	readonly resolver: Resolver;
	/** The second opinion on a server that a proxy has and that the kernel's table lacks. */
	presenceOf(place: Place): Presence;
	readonly log: Logger;
	/** What was kept of an earlier run. */
	readonly remembered?: Remembered;
	/** All containers that an engine tells of now. */
	containers?(): Iterable<Container>;
	/** Asks those that have to answer before they join, once `adopt` was called; without it all are taken for ready. */
	readonly probe?: Probe;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** The kernel's clock, as in the events. */
	bootTimeNs(): number;
	/** Does what need not be done before a change is acted on: lines of the log, which take as long as the change. */
	later?(work: () => void): void;
	onChange(change: DesiredChange): void;
	/** What the next run has to know differs from before. */
	onRemember?(remembered: Remembered): void;
	/** The kernel's table should be read again, soon. */
	requestRead(): void;
}

export interface Pipeline {
	onEvents(events: readonly KernelEvent[]): void;
	onRead(read: Read): void;
	/** Takes in what the proxies have from an earlier run; after the first read, so that only what is missing stays. */
	adopt(servers: readonly Omit<AdoptedServer, "weight">[]): void;
	/** An engine tells of containers: what they declare may make services, and let their listeners join. */
	onContainers(changes: readonly ContainerChange[]): void;
	/** Looks again at every listener: addresses may have changed without an event. */
	recheck(): void;
	/** Judges everything anew, by other rules. */
	reconfigure(config: Config): void;
	/** A person's word on a backend, there or not: it wins over all else until it is released. */
	hold(ref: BackendRef, state: Hold["state"]): void;
	/** False when nobody held it. */
	release(ref: BackendRef): boolean;
	holds(): readonly Hold[];
	/** A service by label is no more. Undefined when that is done, else why not, as a clause. */
	forget(service: string): string | undefined;
	/** What the next run has to know. */
	remembered(): Remembered;
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
	const {
		config,
		resolver,
		log,
		now,
		bootTimeNs,
		onChange,
		onRemember,
		requestRead,
		later = (work) => work(),
	} = options;
	const { containers = () => [], remembered } = options;
	const table = createTable();
	let { proxies } = config;
	const discovery = createDiscovery({ config, remembered: remembered?.services ?? [], containers, log });
	const { catalogue } = discovery;
	const rulesOf = ({ guard, flap }: Config) => ({ guard, flap, services: catalogue.services });
	let rules = rulesOf(config);
	const pools = createPools(rules, remembered?.holds);
	/** A time of the kernel's clock in that of `now`. */
	const toMs = (atNs: number) => now() - (bootTimeNs() - atNs) / 1e6;
	const history = createHistory();
	const recorder = createRecorder(history, toMs);
	/** Of this step. */
	let news: News[] = [];
	const judged = createJudged(config, resolver, toMs, catalogue, (before, now) =>
		news.push({ what: "renewed", before, now }),
	);
	/** A listener that the kernel's table has was judged already: an old file must not overrule its verdict. */
	const presenceOf = ({ service, address, port }: AdoptedServer): Presence => {
		const place = { address, port, netns: netnsOfService(service, proxies) };
		return judged.hasAt(place) ? "closed" : options.presenceOf(place);
	};
	let adopted = createAdopted(presenceOf);
	let hasRead = false;
	let retryTimer: NodeJS.Timeout | undefined;
	let retryMs: number = RETRY_MS.first;
	let retryDueMs = Number.POSITIVE_INFINITY;
	let closed = false;

	const { probe } = options;
	const gates =
		probe &&
		createGates({
			probe,
			now,
			isIn: ({ backend }) => pools.isLetIn(backend),
			onEnd(end) {
				putAgain(end.endpoint);
				settle();
				later(() => reportGate(log, end));
			},
		});
	const put = ({ key }: Endpoint, { claims, why }: Looked) =>
		pools.set(key, gates?.pass(key, claims) ?? claims, why, now());
	const putAgain = (key: EndpointKey) => {
		const known = judged.get(key);
		if (known !== undefined) put(known.endpoint, known);
	};
	/** One that is pending from now on is looked at again, soon. */
	const lookBy = (look: Judged["look"]) => (endpoint: Endpoint) => {
		const isPending = () => judged.get(endpoint.key)?.verdict.state === "pending";
		const was = isPending();
		put(endpoint, look(endpoint));
		if (!was && isPending()) retryIn(RETRY_MS.first);
	};
	const look = lookBy(judged.look);
	const lookAgain = lookBy(judged.lookAgain);

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

	/** What was found of one namespace may be news for another, and what is found there for a third. */
	const lookAtDisturbed = () => {
		for (let round = 0; round < MAX_ROUNDS; round++) judged.disturbed().forEach(look);
	};

	/** Ends a step: arms the timer for what ends by itself, and tells of the change. */
	const settle = ({ kernelAtNs, isAny = false }: { kernelAtNs?: number | undefined; isAny?: boolean } = {}) => {
		lookAtDisturbed();
		const { touched, removal, withheld } = pools.commit(now());
		const told = news;
		news = [];
		if (closed) return;
		expiry.set(pools.dueMs);
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

	const expiry = createAlarm(now, () => {
		pools.expire(now());
		settle();
	});

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
				const { endpoint, isNew, wasClosed } = change;
				// who answered before it closed has to answer again
				if (wasClosed && gates?.forget(key)) pools.drop(key);
				put(endpoint, isNew ? judged.look(endpoint) : judged.lookAtSignals(endpoint));
				pending ||= judged.get(key)?.verdict.state === "pending";
				if (isNew) news.push({ what: "listening", key });
			} else {
				const listener = judged.get(key);
				if (listener !== undefined) news.push({ what: "closed", listener, how: source });
				judged.forget(key);
				gates?.forget(key);
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

	const toRemember = (): Remembered => ({ holds: pools.holds(), services: catalogue.labelled });

	const tellHolds = () => {
		settle();
		onRemember?.(toRemember());
	};

	/** Other services, or other containers that may serve them; and endpoints of which more is known. */
	const onCatalogue = (change: CatalogueChange, others: readonly Endpoint[] = []) => {
		if (change.services) {
			rules = { ...rules, services: catalogue.services };
			pools.reconfigure(rules);
		}
		new Set([...change.containers.flatMap(judged.ofContainer), ...others]).forEach(lookAgain);
		adopted.yield(pools);
		settle({ isAny: change.services });
		if (change.services) onRemember?.(toRemember());
	};

	/** Puts in what proxies have of the services that there are. */
	const adopt = (servers: readonly Omit<AdoptedServer, "weight">[]) => {
		const ours = servers.flatMap((server) => {
			const weight = catalogue.services[server.service]?.weight;
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
			else adopted.yield(pools);
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
			gates?.begin(servers.map(refOf)).forEach(putAgain);
			adopt(servers);
			settle();
		},
		onContainers(changes) {
			const moved = changes.filter(({ isMoved }) => isMoved).map(({ id }) => id);
			if (moved.length > 0) resolver.expire();
			const told = changes.flatMap(({ id }) => judged.ofContainer(id));
			onCatalogue(discovery.take(changes), [...told, ...judged.besides(moved)]);
		},
		recheck() {
			lookAnew(table.endpoints());
			adopted.review(pools);
			settle();
		},
		reconfigure(next) {
			({ proxies } = next);
			discovery.reconfigure(next);
			judged.reconfigure(next);
			rules = rulesOf(next);
			pools.reconfigure(rules);
			lookAnew(table.endpoints());
			const carried = adopted.servers();
			adopted = createAdopted(presenceOf);
			adopt(carried);
			settle({ isAny: true });
			onRemember?.(toRemember());
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
		forget(service) {
			const forgotten = discovery.forget(service);
			if (!forgotten.done) return forgotten.why;
			onCatalogue(forgotten.change);
			return undefined;
		},
		remembered: toRemember,
		desired: () => (hasRead ? pools.desired() : undefined),
		backend: (ref) => (hasRead ? pools.backend(ref) : undefined),
		status: () => pools.status(now()),
		listeners: () => [...judged.all()].map(withPools),
		decisions: (listener) => judged.decisions(listener),
		history,
		toMs,
		close() {
			closed = true;
			gates?.close();
			expiry.close();
			clearTimeout(retryTimer);
		},
	};
}
