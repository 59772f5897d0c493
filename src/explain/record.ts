/**
 * What of the pipeline's steps is worth remembering of an endpoint: compares what was known with what is, and records
 * the difference. Called after a change was acted on, never before. Knows nothing of who asks.
 */

import { isDeepStrictEqual } from "node:util";
import { type BackendRef, refKey } from "../backends/backend.js";
import type { BackendStatus } from "../backends/status.js";
import type { Addresses } from "../identity/identity.js";
import { createRecent } from "../identity/recent.js";
import type { JudgedListener, Known } from "../judged.js";
import type { EndpointKey } from "../listeners/ids.js";
import type { Endpoint } from "../listeners/table.js";
import type { BackendChange, Change, History, Sockets } from "./history.js";

export interface Recorder {
	/** One listens that was not there before, with what came of it in the pools. */
	listened(listener: JudgedListener): void;
	/** What is known of a listener is not as it was. */
	renewed(before: Known, now: Known, atMs: number): void;
	/** @param how an event said so, or a read no longer has it */
	closed(listener: Known, how: "event" | "read", atMs: number): void;
	/**
	 * A backend came, went or changed; nothing is recorded where its state and the reason are the last ones known. Of one that
	 * is on another host the first word is not recorded where it is simply ready: since when it is so is known without.
	 *
	 * @param endpoints those that lead there now
	 */
	backend(ref: BackendRef, status: BackendStatus | undefined, endpoints: readonly EndpointKey[], atMs: number): void;
	/** Whether something is recorded of a backend that is on another host. */
	hasElsewhere(ref: BackendRef): boolean;
}

/** How many backends that nothing leads to any more are followed to their end. */
const MAX_LEFT = 1024;

/** @param toMs a time of the kernel's clock, in the pipeline's */
export function createRecorder(history: History, toMs: (atNs: number) => number): Recorder {
	/** The endpoints that led to a backend last: what becomes of it while nothing leads there is still theirs. */
	const left = createRecent<string, readonly EndpointKey[]>(MAX_LEFT);

	const leaves = (key: EndpointKey, before: readonly BackendRef[], now: readonly BackendRef[]) => {
		const stays = new Set(now.map(refKey));
		for (const ref of before.map(refKey)) if (!stays.has(ref)) left.set(ref, [key]);
	};

	const recordStuck = (was: Endpoint, is: Endpoint, atMs: number, record: (change: Change) => void) => {
		if (is.paused !== undefined && is.paused.by !== was.paused?.by) {
			record({ kind: "paused", atMs: toMs(is.paused.sinceNs), by: is.paused.by });
		}
		if (is.paused === undefined && was.paused !== undefined) record({ kind: "resumed", atMs });
		if (is.hung !== undefined && was.hung === undefined) record({ kind: "hung", atMs, queued: is.hung.queued });
		if (is.hung === undefined && was.hung !== undefined) record({ kind: "accepting", atMs });
	};

	return {
		listened({ endpoint, verdict, isUnmatched = false }) {
			const isPlain = verdict.state === "in" && verdict.places.every(({ state }) => state === undefined);
			const change = { kind: "listened" as const, atMs: toMs(endpoint.sockets[0].atNs), ...socketsOf(endpoint) };
			const followed = isPlain || isUnmatched ? {} : { verdict };
			history.record(endpoint.key, { ...change, isUnmatched, ...followed }, isUnmatched);
		},
		renewed(before, now, atMs) {
			const { key } = now.endpoint;
			const { isUnmatched = false } = now;
			const record = (change: Change) => history.record(key, change, isUnmatched);
			leaves(key, refsOf(before), refsOf(now));
			const sockets = socketsOf(now.endpoint);
			if (!isDeepStrictEqual(sockets, socketsOf(before.endpoint))) record({ kind: "sockets", atMs, ...sockets });
			for (const [signal, atNs] of now.endpoint.stopping ?? []) {
				if (before.endpoint.stopping?.get(signal) === atNs) continue;
				record({ kind: "stopping", atMs: toMs(atNs), signal });
			}
			recordStuck(before.endpoint, now.endpoint, atMs, record);
			const { container } = now.resolved;
			if (container !== undefined && isNews(before.resolved.container, container)) {
				record({ kind: "container", atMs, to: container });
			}
			const from = before.resolved.addresses;
			const to = now.resolved.addresses;
			// the host's own addresses come and go with every container
			if (!isUnmatched && !sameAddresses(from, to)) record({ kind: "addresses", atMs, from, to });
			if (!isDeepStrictEqual(before.verdict, now.verdict)) {
				record({ kind: "verdict", atMs, from: before.verdict, to: now.verdict });
			}
		},
		closed(listener, how, atMs) {
			const { endpoint, resolved, isUnmatched } = listener;
			const { key, address, port } = endpoint;
			const [{ pid, atNs }] = endpoint.sockets;
			// a long path that nobody asks by is not worth its memory
			const { cgroup: _, ...identity } = resolved.identity;
			const backends = refsOf(listener).map(({ service, id }) => ({ service, id }));
			leaves(key, backends, []);
			history.record(key, { kind: "closed", atMs, how }, isUnmatched);
			const times = { sinceMs: toMs(atNs), closedMs: atMs };
			history.depart({ key, address, port, pid, identity, backends, ...times }, isUnmatched);
		},
		backend(ref, status, endpoints, atMs) {
			const { state, held, reason } = status ?? {
				state: "gone" as const,
				held: false,
				reason: "nothing listens there",
			};
			const change: BackendChange = { kind: "backend", atMs, service: ref.service, id: ref.id, state, held, reason };
			/** Another weight, or name, is no change of its state. */
			const isSame = (last: BackendChange) => last.state === state && last.held === held && last.reason === reason;
			const keys = endpoints.length > 0 ? endpoints : (left.get(refKey(ref)) ?? []);
			const before = lastOf(history.elsewhere(ref), ref);
			const wasElsewhere = before !== undefined && before.state !== "gone";
			if (endpoints.length === 0 && (status?.host !== undefined || wasElsewhere || keys.length === 0)) {
				if (before === undefined ? state !== "ready" : !isSame(before)) history.recordElsewhere(ref, change);
				return;
			}
			for (const key of keys) {
				const last = lastOf(history.of(key), ref);
				if (last === undefined || !isSame(last)) history.record(key, change);
			}
		},
		hasElsewhere: (ref) => history.elsewhere(ref).length > 0,
	};
}

const isBackend = (change: Change): change is BackendChange => change.kind === "backend";

const lastOf = (changes: readonly Change[], ref: BackendRef): BackendChange | undefined =>
	changes.filter(isBackend).findLast((change) => refKey(change) === refKey(ref));

const refsOf = ({ claims }: Known): readonly BackendRef[] => claims.map(({ backend }) => backend);

function socketsOf({ sockets }: Endpoint): Sockets {
	const [{ pid, comm, backlog }] = sockets;
	return { pid, comm, backlog, count: sockets.length };
}

/** A wait is news again when its reason is another. */
function isNews(before: JudgedListener["resolved"]["container"], now: NonNullable<typeof before>): boolean {
	if (before?.state !== now.state) return true;
	return now.state === "waiting" && before.state === "waiting" && before.why !== now.why;
}

function sameAddresses(a: Addresses, b: Addresses): boolean {
	return a === b || isDeepStrictEqual(a, b);
}
