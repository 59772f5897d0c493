/**
 * From what the kernel says to the desired backend set: table → identity → verdict → pools. Events fold into the table
 * and mark what changed; whoever acts on the result is told that there is one, and asks for it at its own pace. Knows
 * nothing of proxies.
 */

import { createAlarm } from "./alarm.js";
import { type AdoptedServer, createAdopted, refOf } from "./backends/adopted.js";
import { withStatus } from "./backends/judge.js";
import type { CatalogueChange } from "./backends/labels/catalogue.js";
import { createPools } from "./backends/pools.js";
import { netnsOfService } from "./backends/proxy-netns.js";
import type { Config } from "./config/schema.js";
import { createDiscovery } from "./discovery.js";
import { createHistory } from "./explain/history.js";
import { createRecorder } from "./explain/record.js";
import type { Presence } from "./identity/presence.js";
import { createJudged, type Judged, type Known, type Looked } from "./judged.js";
import { byNamespace } from "./listeners/by-namespace.js";
import { atNsOf } from "./listeners/event.js";
import type { EndpointKey } from "./listeners/ids.js";
import { createTable, type Endpoint, type Merged } from "./listeners/table.js";
import { createNews } from "./news.js";
import { createOffering } from "./offering.js";
import type { Pipeline, PipelineOptions } from "./pipeline-port.js";
import { createQueueWatch } from "./queue-watch.js";
import { createGates, type GateEnd } from "./readiness/gates.js";
import { createRemote } from "./remote.js";
import { createRetry } from "./retry.js";
import type { Remembered } from "./state.js";

export type { JudgedListener } from "./judged.js";
export type { Pipeline, PipelineOptions } from "./pipeline-port.js";

/** How far news of addresses go within one step; what is left goes on in the next one. */
const MAX_ROUNDS = 4;

export function createPipeline(options: PipelineOptions): Pipeline {
	const { config, resolver, log, now, bootTimeNs, onChange, onRemember, requestRead, afterwards } = options;
	const { containers = () => [], remembered } = options;
	const table = createTable();
	let { proxies } = config;
	const discovery = createDiscovery({
		config,
		remembered: remembered?.services ?? [],
		remote: remembered?.remote,
		containers,
		log,
	});
	const { catalogue } = discovery;
	const rulesOf = ({ guard, flap, fleet }: Config) => ({
		guard,
		flap,
		services: catalogue.services,
		zone: fleet?.zone,
	});
	let rules = rulesOf(config);
	const remote = createRemote(config, now);
	const pools = createPools(rules, remembered?.holds, (standing, is) => {
		const { local, id, endpoint } = standing.backend;
		if (!local) return;
		offering.touch(endpoint);
		if (standing.gate === undefined) remote.local(id, is);
	});
	/** A time of the kernel's clock in that of `now`. */
	const toMs = (atNs: number) => now() - (bootTimeNs() - atNs) / 1e6;
	const history = createHistory();
	const news = createNews({
		log,
		recorder: createRecorder(history, toMs),
		pools,
		statusOf: (ref) => pools.statusAsOf(ref, now()) ?? remote.statusAsOf(ref),
		now,
		later: (work) => (afterwards === undefined ? work() : afterwards.add(work)),
		shown: (key) => shown(key),
	});
	const judged = createJudged(config, resolver, toMs, catalogue, (before, after) => {
		news.renewed(before, after);
		offering.touch(after.endpoint.key);
	});
	const offering = createOffering({
		config,
		ownAddresses: options.ownAddresses ?? (() => ({ state: "unknown", why: "nobody reads this host's addresses" })),
		known: (key) => judged.get(key),
		listeners: () => judged.all(),
		leads: (key) => pools.leads(key),
		holdOf: (ref) => pools.holdOf(ref),
		onOffer: (changes) => options.onOffer?.(changes),
	});
	/** A listener that the kernel's table has was judged already: an old file must not overrule its verdict. */
	const presenceOf = ({ service, address, port }: AdoptedServer): Presence => {
		const place = { address, port, netns: netnsOfService(service, proxies) };
		if (judged.hasAt(place, !remote.isAwaited)) return "closed";
		const presence = options.presenceOf(place);
		// another host's, then, of which the registry has yet to tell
		if (presence === "elsewhere" && remote.isAwaited) return "unknown";
		// engines need no process to publish a port: nobody listens there, then
		return presence === "closed" && judged.mayPassOn(place) ? "unknown" : presence;
	};
	let adopted = createAdopted(presenceOf);
	let hasRead = false;
	let closed = false;
	/**
	 * Since when the sensor is down; undefined while it is up. For the pools time stands still meanwhile: that a grace, a
	 * drain or a pause is over says something only of who did not listen, or close, since, and nobody would have told. What
	 * waits for an address or a gate may be gone by now, and who is in may have lost its address by having closed: both wait.
	 * A person's word, other rules, and what an engine tells are not the sensor's, and go on.
	 */
	let frozenMs: number | undefined;
	/** Gates that ended meanwhile. */
	const endedGates: GateEnd[] = [];

	const { probe } = options;
	const gates =
		probe &&
		createGates({
			probe,
			now,
			isIn: ({ backend }) => pools.isLetIn(backend),
			onEnd(end) {
				if (frozenMs === undefined) endGate(end);
				else endedGates.push(end);
			},
		});
	const put = ({ key }: Endpoint, { claims, why }: Looked) =>
		pools.set(key, gates?.pass(key, claims) ?? claims, why, now());
	const putAgain = (key: EndpointKey) => {
		const known = judged.get(key);
		if (known !== undefined) put(known.endpoint, known);
	};
	const endGate = (end: GateEnd) => {
		putAgain(end.endpoint);
		settle();
		news.gateEnded(end);
	};
	/** One that is pending from now on is looked at again, soon. */
	const lookBy = (look: Judged["look"]) => (endpoint: Endpoint) => {
		const isPending = () => judged.get(endpoint.key)?.verdict.state === "pending";
		const was = isPending();
		put(endpoint, look(endpoint));
		if (!was && isPending()) retry.soon();
	};
	const look = lookBy(judged.look);
	const lookAgain = lookBy(judged.lookAgain);

	/** Looks at these as they are now: an answer to an earlier question would confirm itself. */
	const lookAnew = (endpoints: readonly Endpoint[]) => {
		resolver.expire();
		byNamespace(endpoints, ({ netns }) => netns).forEach(look);
	};

	/** What is known of a listener, with what came of it in the pools. */
	const withPools = ({ verdict, ...listener }: Known): Known => ({
		...listener,
		...(listener.claims.length > 0 && { elsewhere: offering.placeOf({ verdict, ...listener }) }),
		verdict: withStatus(verdict, (ref) => pools.statusOf(ref, now())),
	});

	const shown = (key: EndpointKey): Known | undefined => {
		const known = judged.get(key);
		return known && withPools(known);
	};

	/** What was found of one namespace may be news for another, and what is found there for a third. */
	const lookAtDisturbed = () => {
		for (let round = 0; round < MAX_ROUNDS; round++) {
			const disturbed = judged.disturbed();
			// nearly always, and on the way of every event
			if (disturbed.length === 0) return;
			disturbed.forEach(look);
		}
	};

	/** Ends a step: arms the timer for what ends by itself, and tells of the change. */
	const settle = ({ kernelAtNs, isAny = false }: { kernelAtNs?: number | undefined; isAny?: boolean } = {}) => {
		lookAtDisturbed();
		remote.step(pools);
		const { touched, removal, withheld } = pools.commit(frozenMs ?? now(), now());
		offering.tell();
		if (closed) return;
		expiry.set(frozenMs === undefined ? pools.dueMs : undefined);
		if (withheld.local) {
			log.warn("too many backends would leave at once: they stay until the kernel's table confirms it");
			requestRead();
		}
		if (withheld.remote) {
			log.warn("too many backends of other hosts would leave at once: they stay until the registry confirms it");
			options.requestRemote?.();
		}
		if (touched.length > 0 || isAny) {
			onChange({
				atMs: now(),
				removal,
				touched: isAny ? undefined : touched,
				...(kernelAtNs !== undefined && { sinceKernelMs: () => (bootTimeNs() - kernelAtNs) / 1e6 }),
			});
		}
		news.tell(touched);
		queues?.need(!pools.isEmpty);
	};

	const expiry = createAlarm(now, () => {
		pools.expire(now());
		settle();
	});

	/** Looks again at what is pending. */
	const retry = createRetry(now, () => {
		if (frozenMs !== undefined) return false;
		const pending = [...judged.all()].filter(({ verdict }) => verdict.state === "pending");
		for (const { endpoint } of pending) look(endpoint);
		// also once nothing is pending: what was not known may have kept one of them in
		adopted.review(pools);
		settle();
		return pending.length > 0;
	});

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
				if (isNew) news.listens(key);
			} else {
				const listener = judged.get(key);
				if (listener !== undefined) news.closed(listener, source);
				judged.forget(key);
				gates?.forget(key);
				if (source === "event") {
					offering.closed(key);
					pools.close(key, now());
				} else pools.set(key, [], "the kernel's table no longer has it", now());
			}
		}
		if (pending) retry.soon();
		if (again) requestRead();
	};

	const { readFullQueues } = options;
	const queues =
		readFullQueues &&
		createQueueWatch({
			hung: config.hung,
			readFullQueues,
			log,
			now,
			onHung(hung) {
				// those beside it may have closed, so that it is the last one; a look after that says it again
				if (frozenMs !== undefined) return;
				take(table.mark(hung), "event");
				settle();
			},
		});

	const toRemember = (): Remembered => ({
		holds: pools.holds(),
		services: catalogue.labelled,
		remote: discovery.remote(),
	});

	const tellHolds = () => {
		settle();
		onRemember?.(toRemember());
	};

	/** Other rules; what other hosts offer for services that there were not is put in. */
	const reconfigurePools = (next: typeof rules) => {
		const before = rules.services;
		rules = next;
		pools.reconfigure(rules);
		for (const name of Object.keys(rules.services)) if (!Object.hasOwn(before, name)) remote.serve(name);
	};

	/** Once the registry was heard, what a proxy has of other hosts and no host offers goes. */
	const awaited = createAlarm(now, () => {
		adopted.review(pools);
		settle();
	});

	/** Other services, or other containers that may serve them; and endpoints of which more is known. */
	const onCatalogue = (change: CatalogueChange, others: readonly Endpoint[] = []) => {
		if (change.services) {
			reconfigurePools({ ...rules, services: catalogue.services });
		}
		remote.step(pools);
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

	const recheck = () => {
		offering.recheck();
		lookAnew(table.endpoints());
		adopted.review(pools);
		settle();
	};

	return {
		onEvents(events) {
			const review = events.some((event) => "listener" in event && adopted.concerns(event.listener.port));
			const [first] = events;
			take(table.fold(events), "event");
			if (review) adopted.review(pools);
			else adopted.yield(pools);
			settle({ kernelAtNs: first && atNsOf(first) });
		},
		onRead(read) {
			const beganMs = toMs(read.beganNs);
			const waiting = pools.withheldBefore(beganMs);
			const { changes, again } = table.merge(read);
			take({ changes: byNamespace(changes, ({ endpoint }) => endpoint.netns), again }, "read");
			if (read.complete) {
				if (waiting.length > 0) lookAnew(waiting.flatMap((key) => judged.get(key)?.endpoint ?? []));
				pools.confirm(beganMs);
			}
			adopted.review(pools);
			settle();
			hasRead = true;
			// what listened already at the start is no news
			news.begin();
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
			if (frozenMs === undefined) recheck();
		},
		onSensor({ state }) {
			frozenMs = state === "down" ? now() : undefined;
			expiry.set(undefined);
			if (frozenMs !== undefined) return;
			endedGates.splice(0).forEach(endGate);
			pools.expire(now());
			recheck();
			retry.soon();
		},
		reconfigure(next) {
			({ proxies } = next);
			discovery.reconfigure(next);
			judged.reconfigure(next);
			remote.reconfigure(next);
			reconfigurePools(rulesOf(next));
			offering.reconfigure(next);
			lookAnew(table.endpoints());
			adopted.yield(pools);
			const carried = adopted.servers();
			adopted = createAdopted(presenceOf);
			adopt(carried);
			settle({ isAny: true });
			onRemember?.(toRemember());
			queues?.reconfigure(next.hung);
		},
		hold(ref, state) {
			pools.hold({ service: ref.service, id: ref.id, state });
			pools.endpointsOf(ref).forEach(offering.touch);
			tellHolds();
		},
		release(ref) {
			const wasHeld = pools.release(ref);
			pools.endpointsOf(ref).forEach(offering.touch);
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
		status: () => remote.withRefused(pools.status(now())),
		listeners: () => [...judged.all()].map(withPools),
		listenerCount: () => judged.count(),
		decisions: (listener) => judged.decisions(listener),
		get history() {
			afterwards?.flush();
			return history;
		},
		toMs,
		onRemote(changes) {
			if (remote.take(changes) && discovery.takeRemote(remote.hosts())) {
				onCatalogue({ services: true, containers: [] });
				return;
			}
			remote.step(pools);
			adopted.yield(pools);
			settle();
		},
		onRemoteComplete(beganMs) {
			pools.confirm(beganMs, false);
			awaited.set(remote.heard());
			settle();
		},
		forgetRemote() {
			remote.clear();
			discovery.forgetRemote();
			if (catalogue.services !== rules.services) onCatalogue({ services: true, containers: [] });
			adopted.review(pools);
			settle();
		},
		onLocalAddress(address) {
			offering.onLocalAddress(address);
			settle();
		},
		offers: offering.all,
		isUnsure() {
			let isPending = false;
			for (const { resolved, verdict } of judged.all()) {
				if (resolved.container?.state === "waiting") return "engine";
				isPending ||= verdict.state === "pending";
			}
			return isPending ? "pending" : undefined;
		},
		close() {
			closed = true;
			gates?.close();
			expiry.close();
			awaited.close();
			retry.close();
			queues?.close();
		},
	};
}
