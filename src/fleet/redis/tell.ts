/** What a publisher asks of Redis, and the answers: the scripts with names for their arguments. Keeps nothing. */

import type { OfferKey } from "../offer.js";
import type { Link } from "./connect.js";
import { type EntryKind, FIELDS, type Keys, LONGEST_DELTA, STREAM_LENGTH } from "./keys.js";
import type { ProcessIdentity } from "./process-identity.js";
import { BYE, CHANGE, CLAIM, RENEWAL } from "./scripts.js";
import { type Delta, writeDelta } from "./wire.js";

/** The one that tells for a host, as of its last change. */
export interface Tenure {
	readonly incarnation: string;
	readonly sequence: number;
}

/**
 * `gone`: Redis has nothing of this host (flushed). `behind`: it has an older state than this host told (restored, failed
 * over), or one that was not known to have arrived. `fenced`: somebody else tells for this host by now.
 */
export type Answer = "ok" | "gone" | "behind" | "fenced";

export type ClaimAnswer =
	/** `fields` of the hash by now, where something may be left in it: with the first claim. */
	| { readonly kind: "ok"; readonly incarnation: string; readonly fields: ReadonlyMap<string, string> }
	/** `later`: a later daemon on this very host; `other`: another host of this name. For so many milliseconds at least. */
	| { readonly kind: "refused"; readonly by: "later" | "other"; readonly leaseLeftMs: number };

export interface Claim {
	/** Its incarnation so far; undefined: what an earlier run left stays beside this. */
	readonly mine: string | undefined;
	readonly identity: ProcessIdentity;
	readonly about: string;
	readonly offers: ReadonlyMap<OfferKey, string>;
}

export type Change =
	| { readonly kind: "about"; readonly about: string }
	| { readonly kind: "offers"; readonly delta: Delta };

export interface Teller {
	claim(claim: Claim): Promise<ClaimAnswer>;
	change(tenure: Tenure, change: Change): Promise<Answer>;
	renew(tenure: Tenure): Promise<Answer>;
	bye(tenure: Tenure): Promise<Answer>;
}

/** How long a host's hash outlives its last renewal: its next run carries on what it offered. */
const DAY_MS = 86_400_000;
const LEASES = 10;

/** @param leaseMs in milliseconds. All that it returns throws what the link throws. */
export function createTeller(link: Link, keys: Keys, host: string, leaseMs: number): Teller {
	const where = [keys.host(host), keys.leases, keys.changes];
	const expiryMs = Math.max(DAY_MS, LEASES * leaseMs);
	const ours = ({ incarnation, sequence }: Tenure) => [host, incarnation, sequence, leaseMs, expiryMs];

	return {
		async claim({ mine = "0", identity: { boot, machine, start }, about, offers }) {
			const head = [host, mine, boot, machine, start, leaseMs, expiryMs, STREAM_LENGTH, about];
			const [kind, second, third] = list(await link.run(CLAIM, where, [...head, ...[...offers].flat()]));
			if (kind === "refused") {
				return { kind, by: second === "later" ? "later" : "other", leaseLeftMs: Number(third) };
			}
			return { kind: "ok", incarnation: String(second), fields: pairs(list(third)) };
		},
		async change(tenure, change) {
			const { kind, payload, taken, put } = written(change);
			const head = [...ours(tenure), STREAM_LENGTH, tenure.sequence + 1, kind, payload, taken.length];
			return answer(await link.run(CHANGE, where, [...head, ...taken, ...put.flat()]));
		},
		renew: async (tenure) => answer(await link.run(RENEWAL, where, ours(tenure))),
		bye: async (tenure) => answer(await link.run(BYE, where, [...ours(tenure), STREAM_LENGTH, tenure.sequence + 1])),
	};
}

interface Written {
	readonly kind: EntryKind;
	readonly payload: string;
	readonly taken: readonly OfferKey[];
	readonly put: readonly (readonly [field: string, text: string])[];
}

function written(change: Change): Written {
	if (change.kind === "about") {
		return { kind: "about", payload: change.about, taken: [], put: [[FIELDS.about, change.about]] };
	}
	const { put, taken } = change.delta;
	const payload = writeDelta(put, taken);
	const fields = { taken: [...taken.keys()], put: [...put] };
	return payload.length > LONGEST_DELTA
		? { kind: "whole", payload: "", ...fields }
		: { kind: "delta", payload, ...fields };
}

const list = (reply: unknown): readonly unknown[] => (Array.isArray(reply) ? reply : []);

function pairs(flat: readonly unknown[]): Map<string, string> {
	const map = new Map<string, string>();
	for (let i = 0; i + 1 < flat.length; i += 2) map.set(String(flat[i]), String(flat[i + 1]));
	return map;
}

function answer(reply: unknown): Answer {
	const [word] = list(reply);
	if (word === "ok" || word === "gone" || word === "behind" || word === "fenced") return word;
	throw new Error(`the script answered ${JSON.stringify(reply)}`);
}
