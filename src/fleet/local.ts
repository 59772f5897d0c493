/**
 * The registry in memory: of one host, where no fleet is configured; of several within a process, for tests. What redis
 * does over a network, it does at once. Nobody dies here without a word, so that there are no leases.
 */

import { version } from "../version.js";
import type { Offer, OfferedService, OfferKey, TakenWhy } from "./offer.js";
import type { HostChange, HostInfo, HostStatus, Member, MemberOptions } from "./registry.js";

export interface LocalRegistry {
	join(options: MemberOptions): Member;
}

/** A host as the registry has it; whoever joined last tells for it. */
interface Host {
	info: HostInfo;
	readonly offers: Map<OfferKey, Offer>;
	incarnation: number;
	sequence: number;
}

const DRAIN_TIMEOUT_MS = 30_000;

export function createLocalRegistry(): LocalRegistry {
	const hosts = new Map<string, Host>();
	const listeners = new Set<{ readonly options: MemberOptions; isOpen: boolean }>();
	let incarnations = 0;

	/** In order, and never before the one who tells has gone on. */
	const tell = (name: string, change: () => HostChange) => {
		const made = change();
		for (const listener of listeners) {
			if (listener.options.host === name) continue;
			queueMicrotask(() => {
				if (listener.isOpen) listener.options.onChange([made]);
			});
		}
	};
	const whole = ({ info, offers }: Host): HostChange => ({ kind: "whole", host: info, offers: new Map(offers) });

	const statusOf = ({ info, offers, incarnation, sequence }: Host): HostStatus => ({
		...info,
		state: info.draining ? "draining" : "live",
		incarnation,
		sequence,
		offers: offers.size,
	});

	const join = (options: MemberOptions): Member => {
		const name = options.host;
		const listener = { options, isOpen: options.subscribe };
		const mine = ++incarnations;
		const before = options.publish ? hosts.get(name) : undefined;
		const offers = new Map(before?.offers);
		/** What an earlier member offered, and this one has not. */
		const carried = new Set(offers.keys());
		let services: readonly OfferedService[] = [];
		let draining = false;
		let hasLeft = false;
		let drainTimer: NodeJS.Timeout | undefined;

		const info = (): HostInfo => ({
			host: name,
			...(options.zone !== undefined && { zone: options.zone }),
			version,
			lease: options.lease,
			draining,
			services,
		});
		/** The host, while this member is the one that tells for it. */
		const own = (): Host | undefined => {
			const host = hosts.get(name);
			return options.publish && host?.incarnation === mine ? host : undefined;
		};
		const enter = () => {
			const host = { info: info(), offers, incarnation: mine, sequence: 1 };
			hosts.set(name, host);
			tell(name, () => whole(host));
		};
		const change = (put: Map<OfferKey, Offer> = new Map(), taken: Map<OfferKey, TakenWhy> = new Map()) => {
			for (const [key, offer] of put) offers.set(key, offer);
			for (const key of taken.keys()) offers.delete(key);
			const host = own();
			if (host === undefined) return;
			host.info = info();
			host.sequence++;
			tell(name, () => ({ kind: "delta", host: host.info, put, taken, lagMs: 0 }));
		};
		const leave = () => {
			clearTimeout(drainTimer);
			if (own() === undefined) return;
			hosts.delete(name);
			hasLeft = true;
			tell(name, () => ({ kind: "over", host: name, said: true, why: "it said goodbye" }));
		};
		const leaveLater = () => {
			const longestMs = Math.max(
				options.drainTimeout?.() ?? DRAIN_TIMEOUT_MS,
				...services.map(({ drainTimeout }) => drainTimeout),
			);
			drainTimer = setTimeout(leave, longestMs);
		};

		if (options.publish) {
			draining = before?.info.draining ?? false;
			services = before?.info.services ?? [];
			if (draining) leaveLater();
			enter();
		}
		const beganMs = options.now();
		const others = [...hosts.values()].filter(({ info: { host } }) => host !== name).map(whole);
		listeners.add(listener);
		queueMicrotask(() => {
			if (!options.subscribe || !listener.isOpen) return;
			if (others.length > 0) options.onChange(others);
			options.onComplete(beganMs);
		});

		return {
			offer(changes) {
				const put = new Map<OfferKey, Offer>();
				const taken = new Map<OfferKey, TakenWhy>();
				for (const one of changes) {
					carried.delete(one.key);
					put.delete(one.key);
					taken.delete(one.key);
					if (one.kind === "put") put.set(one.key, one.offer);
					else taken.set(one.key, one.why);
				}
				if (put.size + taken.size > 0) change(put, taken);
			},
			declare(declared) {
				services = declared;
				change();
			},
			settled() {
				const taken = new Map([...carried].map((key): [OfferKey, TakenWhy] => [key, "withdrawn"]));
				carried.clear();
				if (taken.size > 0) change(new Map(), taken);
			},
			lookAgain() {
				queueMicrotask(() => {
					if (options.subscribe && listener.isOpen) options.onComplete(options.now());
				});
			},
			async drain(isDraining) {
				if (!options.publish) return "this host tells others of nothing (fleet.publish is false)";
				clearTimeout(drainTimer);
				const isRepeated = draining && isDraining;
				draining = isDraining;
				if (hasLeft && !isDraining) {
					hasLeft = false;
					enter();
				}
				if (hasLeft) return;
				if (own() === undefined) return `another host calls itself ${name}`;
				if (isRepeated) leave();
				else change();
				if (isDraining && !isRepeated) leaveLater();
				return;
			},
			status() {
				const host = own();
				return {
					registry: { state: "up" },
					publishing: !options.publish
						? { state: "off" }
						: host === undefined && !hasLeft
							? { state: "refused", why: `another host calls itself ${name}` }
							: { state: "current", incarnation: mine, sequence: host?.sequence ?? 0 },
					draining,
					offers: offers.size,
					hosts: options.subscribe ? [...hosts.values()].filter(({ info }) => info.host !== name).map(statusOf) : [],
					rejected: 0,
					wholeReads: 0,
					gaps: 0,
					publishMs: [],
				};
			},
			async close() {
				clearTimeout(drainTimer);
				if (draining) leave();
				listener.isOpen = false;
				listeners.delete(listener);
			},
		};
	};
	return { join };
}
