/**
 * The subscribing half of the registry in Redis: what other hosts offer, read once and then followed. Wires the looks at the
 * leases, the stream and the reads of hosts together; each decides for itself. Knows nothing of what this host tells.
 */

import { LONGEST_MS, NAME } from "../../config/rules.js";
import type { HostChange, HostStatus, MemberOptions } from "../registry.js";
import { openBeats } from "./beats.js";
import { type ChangeEntry, readEntry } from "./entry.js";
import { openFollower } from "./follow.js";
import { createHealth, type Trouble } from "./health.js";
import type { Keys } from "./keys.js";
import { createKnown, type KnownHost } from "./known.js";
import { createLeases } from "./leases.js";
import { askHosts, type BeatAnswer, type BeatQuestion, type HostRead } from "./looks.js";
import { createReads } from "./reads.js";
import { createRejections } from "./rejections.js";
import type { RedisConfig } from "./trouble.js";

export interface SubscriberOptions
	extends Pick<MemberOptions, "host" | "lease" | "onChange" | "onComplete" | "onState" | "now"> {
	readonly redis: RedisConfig;
	readonly keys: Keys;
	/** Other hosts go when the registry was gone for so long, in milliseconds; undefined: they stay. */
	readonly maxStale: number | undefined;
	/** What was left out, for the log; a line in ten seconds at most. */
	onRejected(line: string): void;
}

export interface SubscriberStatus {
	/** Sorted by name. */
	readonly hosts: readonly HostStatus[];
	/** As in `MemberStatus`. */
	readonly rejected: number;
	readonly lastRejected?: string;
	readonly wholeReads: number;
	readonly gaps: number;
}

export interface Subscriber {
	status(): SubscriberStatus;
	/** All hosts are to be read by the next look. */
	lookAgain(): void;
	/** Nothing is told after it. */
	close(): void;
}

/** A look at the leases each tenth of the own lease, within these bounds, in milliseconds: an end is known within two leases. */
const BEAT_MS = { least: 100, most: 1000 } as const;
/** All leases are looked at so often, or more seldom where they are many, whatever the number of hosts does. */
const LIST_EVERY_MS = { least: 10_000, perHost: 10 } as const;
/** The versions of so many hosts are compared in each look, in turn: what no entry told is found some time. */
const COMPARED = 8;

/** Opens it; what goes wrong is told by `onState`, and tried again. */
export function openSubscriber(options: SubscriberOptions): Subscriber {
	const { redis, keys, host: self, maxStale, now } = options;
	const rejections = createRejections(options.onRejected);
	const known = createKnown(rejections);
	const leases = createLeases();
	const health = createHealth(now(), "not connected yet", (state) => {
		if (!closed) options.onState(state);
	});

	let closed = false;
	/** All hosts that have a lease are to be read by the next look. */
	let mustReadAll = false;
	/** Somebody was over in the last look: the next one confirms it. */
	let mustConfirm = false;
	/** What is being read makes a look complete that began then. */
	let completing: { readonly beganMs: number; readonly isAll: boolean } | undefined;
	/** The registry was gone for so long that all other hosts went. */
	let isStale = false;
	/** Redis' clock less ours, as of the last look. */
	let redisAheadMs: number | undefined;
	/** The last look at all leases. */
	let listed: { readonly atMs: number; readonly count: number; readonly redisMs: number } | undefined;
	let ends: ReadonlyMap<string, number> = new Map();
	/** Hosts whose versions are still to be compared in this turn. */
	let turn: string[] = [];
	let wholeReads = 0;
	let gaps = 0;

	const tell = (changes: readonly (HostChange | undefined)[]) => {
		const real = changes.filter((change) => change !== undefined);
		if (real.length > 0 && !closed) options.onChange(real);
	};
	const wrong = (what: Trouble, why: string) => health.wrong(what, why, now());
	const onEntry = (entry: ChangeEntry): HostChange | undefined => {
		const nowMs = now();
		const change = known.entry(entry, nowMs, redisAheadMs === undefined ? undefined : nowMs + redisAheadMs);
		if (change !== "read") return change;
		reads.want([entry.host]);
		return undefined;
	};
	const onIdle = () => {
		if (completing === undefined || closed) return;
		const { beganMs, isAll } = completing;
		completing = undefined;
		options.onComplete(beganMs);
		if (isAll) health.right("reads", now());
	};
	const reads = createReads<HostRead, ChangeEntry>({
		ask: (hosts) => askHosts(beats.link, keys, hosts, known.version),
		onRead(lot) {
			wholeReads += lot.filter(({ found }) => found.kind === "whole").length;
			tell(lot.flatMap(({ host, found, held }) => [known.read(host, found, now()), ...held.map(onEntry)]));
		},
		onIdle,
		onTrouble(error) {
			mustReadAll = true;
			completing = undefined;
			wrong("reads", beats.link.why(error));
		},
	});
	const follower = openFollower({
		redis,
		keys,
		onBegin(isGap) {
			if (isGap) gaps++;
			health.right("stream", now());
			mustReadAll = true;
			beats.hasten();
		},
		onEntries(entries) {
			if (isStale) return;
			const changes = entries.map((fields) => {
				const read = readEntry(fields);
				if (!read.ok) rejections.reject("an entry of the stream", read.why, now());
				else if (read.value.host !== self && !reads.hold(read.value.host, read.value)) return onEntry(read.value);
				return undefined;
			});
			tell(changes);
		},
		onTrouble(why) {
			completing = undefined;
			wrong("stream", why);
			wrong("reads", "not all hosts are read yet");
		},
		now,
	});

	/** Names that can be a host's, of another one than this. */
	const others = (names: Iterable<string>): string[] =>
		[...names].filter((name) => {
			if (NAME.test(name)) return name !== self;
			rejections.reject(`lease of ${name}`, "that is not the name of a host", now());
			return false;
		});
	const question = (): BeatQuestion => {
		const { least, perHost } = LIST_EVERY_MS;
		const dueMs = listed === undefined ? 0 : listed.atMs + Math.max(least, listed.count * perHost);
		const isDue = mustReadAll || leases.wantsAll || now() >= dueMs;
		if (turn.length === 0) turn = [...known.hosts.keys()];
		return {
			edge: self,
			aheadMs: Math.min(LONGEST_MS, ...[...known.hosts.values()].map(({ lease }) => lease)),
			count: isDue ? undefined : listed?.count,
			hosts: turn.splice(0, COMPARED),
		};
	};
	/** Who is to be read, by a look at the registry. */
	const wantedBy = ({ all, count, redisMs, versions }: BeatAnswer, back: readonly string[], atMs: number) => {
		const wanted = new Set(others([...back, ...known.due(atMs)]));
		for (const [host, { incarnation, sequence }] of versions) {
			const version = known.version(host);
			if (version?.incarnation !== incarnation || version.sequence !== sequence) wanted.add(host);
		}
		if (all === undefined) return wanted;
		ends = all;
		listed = { atMs, count, redisMs };
		const tooLong = count - all.size;
		if (tooLong > 0) rejections.reject("leases", `${tooLong} are of names that are too long for a host`, atMs);
		for (const host of others(all.keys())) {
			if ((all.get(host) ?? 0) > redisMs && (mustReadAll || !known.hosts.has(host))) wanted.add(host);
		}
		if (mustReadAll) for (const host of known.hosts.keys()) wanted.add(host);
		return wanted;
	};
	const onBeat = (answer: BeatAnswer, askedMs: number, answeredMs: number) => {
		redisAheadMs = answer.redisMs - (askedMs + answeredMs) / 2;
		health.right("looks", answeredMs);
		if (isStale) {
			if (!health.isReachable) return;
			isStale = false;
			mustReadAll = true;
		}
		const { over, back } = leases.beat({ askedMs, answeredMs, ...answer }, known.hosts);
		tell(over.map(({ host, why }) => known.over(host, why)));
		const isAll = mustReadAll && answer.all !== undefined;
		const wanted = wantedBy(answer, back, askedMs);
		if (isAll || (mustConfirm && !mustReadAll)) {
			completing = { beganMs: askedMs, isAll: isAll || completing?.isAll === true };
			mustReadAll = false;
			mustConfirm = false;
		}
		if (over.length > 0) mustConfirm = true;
		reads.want(wanted);
		if (reads.isIdle) onIdle();
	};
	/** All others go when the registry was gone for too long; a later look at that confirms it. */
	const checkStale = () => {
		const { state } = health;
		if (maxStale === undefined || state.state === "up" || now() - state.sinceMs < maxStale) return;
		if (isStale) {
			if (mustConfirm) options.onComplete(now());
			mustConfirm = false;
			return;
		}
		isStale = true;
		mustConfirm = true;
		reads.drop();
		const why = `the registry was gone for longer than fleet.maxStale allows (${state.why})`;
		tell([...known.hosts.keys()].map((host) => known.over(host, why)));
	};
	const beats = openBeats({
		redis,
		keys,
		everyMs: Math.min(Math.max(options.lease / 10, BEAT_MS.least), BEAT_MS.most),
		now,
		question,
		onBeat,
		onTrouble(why) {
			leases.broke();
			wrong("looks", why);
		},
		onTick() {
			checkStale();
			rejections.tick(now());
		},
	});
	const statusOf = ({ info, version, offers, lagMs }: KnownHost): HostStatus => {
		const end = ends.get(info.host);
		return {
			...info,
			state: leases.isDoubtful(info.host) ? "doubtful" : info.draining ? "draining" : "live",
			...version,
			offers: offers.size,
			...(end !== undefined && listed !== undefined && { leaseLeftMs: end - listed.redisMs }),
			...(lagMs !== undefined && { lagMs }),
		};
	};

	return {
		status: () => ({
			hosts: [...known.hosts.values()].map(statusOf).sort((a, b) => (a.host < b.host ? -1 : 1)),
			rejected: rejections.count,
			...(rejections.last !== undefined && { lastRejected: rejections.last }),
			wholeReads,
			gaps,
		}),
		lookAgain() {
			mustReadAll = true;
		},
		close() {
			closed = true;
			reads.drop();
			follower.close();
			beats.close();
		},
	};
}
