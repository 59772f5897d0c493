/**
 * What is known of other hosts, and what the registry's words change in it. What can't be used is left out, value by value,
 * and the rest is used. Pure: time comes as an argument.
 */

import type { Offer, OfferKey, TakenWhy } from "../offer.js";
import type { HostChange, HostInfo } from "../registry.js";
import type { ChangeEntry } from "./entry.js";
import { LONGEST_DELTA } from "./keys.js";
import type { HostRead } from "./looks.js";
import type { Rejections } from "./rejections.js";
import { createTexts } from "./texts.js";
import { createVersions, type Version } from "./versions.js";
import { type About, type Delta, readAbout, readDelta, readOffer } from "./wire.js";

export interface KnownHost {
	readonly info: HostInfo;
	/** As in `info`. */
	readonly lease: number;
	readonly version: Version;
	readonly offers: ReadonlySet<OfferKey>;
	/** How long its last change was on its way, in milliseconds, where that is known. */
	readonly lagMs: number | undefined;
}

export interface Known {
	/**
	 * An entry of the stream. Answers what changed, nothing, or that only a read of the host tells.
	 *
	 * @param redisMs what Redis' clock says now, where that is known
	 */
	entry(entry: ChangeEntry, nowMs: number, redisMs: number | undefined): HostChange | "read" | undefined;
	/** A host was read. */
	read(host: string, found: HostRead, nowMs: number): HostChange | undefined;
	/** It is no more. */
	over(host: string, why: string): HostChange;
	/** Hosts to be read again: they were older than known, and nobody corrected that. */
	due(nowMs: number): readonly string[];
	version(host: string): Version | undefined;
	readonly hosts: ReadonlyMap<string, KnownHost>;
}

/** What an entry says. */
type Step = Delta | About;

interface Entry extends KnownHost {
	info: HostInfo;
	lease: number;
	version: Version;
	readonly offers: Set<OfferKey>;
	lagMs: number | undefined;
}

export function createKnown(rejections: Rejections): Known {
	const hosts = new Map<string, Entry>();
	const versions = createVersions();
	const sameText = createTexts();

	const over = (host: string, said: boolean, why: string): HostChange => {
		hosts.delete(host);
		return { kind: "over", host, said, why };
	};
	const readOffers = (host: string, texts: Iterable<readonly [key: string, text: string]>, nowMs: number) => {
		const offers = new Map<OfferKey, Offer>();
		const bad: string[] = [];
		for (const [key, text] of texts) {
			const read = readOffer(key, text, sameText);
			if (read.ok) {
				offers.set(key, read.value);
			} else {
				bad.push(key);
				rejections.reject(`host ${host}, offer ${key}`, read.why, nowMs);
			}
		}
		return { offers, bad };
	};
	/** What an entry does to what was before it; undefined: only a read tells. */
	const stepOf = ({ host, kind, payload }: ChangeEntry, nowMs: number): Step | undefined => {
		if (kind !== "delta" && kind !== "about") return undefined;
		const read = kind === "delta" ? readDelta(payload, LONGEST_DELTA) : readAbout(payload);
		if (read.ok) return read.value;
		rejections.reject(`host ${host}, ${kind} in the stream`, read.why, nowMs);
		return undefined;
	};
	const apply = (known: Entry, step: Step, nowMs: number): HostChange => {
		const lag = known.lagMs === undefined ? {} : { lagMs: known.lagMs };
		const { host } = known.info;
		if ("services" in step) {
			known.info = infoOf(host, step);
			known.lease = step.lease;
			return { kind: "delta", host: known.info, put: new Map(), taken: new Map(), ...lag };
		}
		const { offers, bad } = readOffers(host, step.put, nowMs);
		// Of one that can't be read any more, what it was before is not offered any more.
		const asked = [...bad.map((key) => [key, "withdrawn"] as const), ...step.taken];
		const taken = new Map<OfferKey, TakenWhy>(asked.filter(([key]) => known.offers.delete(key)));
		for (const key of offers.keys()) known.offers.add(key);
		return { kind: "delta", host: known.info, put: offers, taken, ...lag };
	};

	return {
		entry(entry, nowMs, redisMs) {
			const { host, version, atMs } = entry;
			if (entry.kind === "bye") {
				const verdict = versions.entry(host, version, "bye");
				return verdict === "over" ? over(host, true, "it said goodbye") : undefined;
			}
			const step = stepOf(entry, nowMs);
			const verdict = versions.entry(host, version, step === undefined ? "other" : "step");
			if (verdict === "old") return undefined;
			const known = hosts.get(host);
			if (verdict !== "apply" || known === undefined || step === undefined) return "read";
			known.version = version;
			known.lagMs = atMs === undefined || redisMs === undefined ? undefined : Math.max(0, redisMs - atMs);
			return apply(known, step, nowMs);
		},
		read(host, found, nowMs) {
			if (found.kind === "unusable") rejections.reject(`host ${host}`, found.why, nowMs);
			// One whose lease is over is not added; whether one that is known goes, the leases say.
			if (found.kind !== "whole" || !(found.isAlive || hosts.has(host))) {
				versions.undoubt(host);
				return undefined;
			}
			const about = readAbout(found.about ?? "");
			if (!about.ok) {
				const tooLong = found.tooLong.find(({ key }) => key === "@about");
				const why = tooLong === undefined ? about.why : `it has ${tooLong.bytes} bytes`;
				rejections.reject(`host ${host}, what it says of itself`, why, nowMs);
				return undefined;
			}
			if (versions.read(host, found.version, nowMs, about.value.lease) !== "take") return undefined;
			const { offers } = readOffers(host, found.offers, nowMs);
			for (const { key, bytes } of found.tooLong) {
				rejections.reject(`host ${host}, offer ${key}`, `it has ${bytes} bytes`, nowMs);
			}
			const info = infoOf(host, about.value);
			hosts.set(host, {
				info,
				lease: info.lease,
				version: found.version,
				offers: new Set(offers.keys()),
				lagMs: hosts.get(host)?.lagMs,
			});
			return { kind: "whole", host: info, offers };
		},
		over(host, why) {
			versions.gone(host);
			return over(host, false, why);
		},
		due: versions.due,
		version: versions.of,
		hosts,
	};
}

const infoOf = (host: string, { zone, version, lease, draining, services }: About): HostInfo => ({
	host,
	...(zone !== undefined && { zone }),
	version,
	lease,
	draining,
	services,
});
