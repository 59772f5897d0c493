/**
 * What this host offers, and what of it the registry does not know yet. What an earlier run of the daemon offered stays
 * until this one has settled. Pure.
 */

import type { OfferChange, OfferKey, TakenWhy } from "../offer.js";
import { type Delta, readOffer, writeOffer } from "./wire.js";

export interface Untold {
	/** How many offers the registry is to have. */
	readonly offers: number;
	/** Whether something may have to be told. */
	readonly isPending: boolean;
	/** What the host offers has changed. */
	change(changes: readonly OfferChange[]): void;
	/** What an earlier run offered and this one has not, goes. */
	settle(): void;
	/** All that the registry is to have, as text: for one that is to have nothing else. */
	all(): Map<OfferKey, string>;
	/** What is to be told next; only asked for while nothing is on its way. */
	delta(): Delta | undefined;
	/** The registry has it. */
	told(delta: Delta): void;
	/** The registry has this and nothing else. */
	has(offers: ReadonlyMap<OfferKey, string>): void;
}

export function createUntold(): Untold {
	const wanted = new Map<OfferKey, string>();
	let known = new Map<OfferKey, string>();
	/** Where the two may differ, and why an offer went, where it did. */
	const marked = new Map<OfferKey, TakenWhy>();
	let isSettled = false;

	const mark = (key: OfferKey, why: TakenWhy = "withdrawn") => {
		if (!marked.has(key)) marked.set(key, why);
	};
	const isCarried = (key: OfferKey) => !isSettled && !wanted.has(key) && !marked.has(key);
	const carried = () => [...known].filter(([key]) => isCarried(key));
	const markLeftovers = () => {
		for (const key of known.keys()) if (!wanted.has(key)) mark(key);
	};

	return {
		get offers() {
			return wanted.size + carried().length;
		},
		get isPending() {
			return marked.size > 0;
		},
		change(changes) {
			for (const change of changes) {
				if (change.kind === "put") {
					wanted.set(change.key, writeOffer(change.offer));
					mark(change.key);
				} else {
					wanted.delete(change.key);
					marked.set(change.key, change.why);
				}
			}
		},
		settle() {
			isSettled = true;
			markLeftovers();
		},
		all: () => new Map([...carried(), ...wanted]),
		delta() {
			const put = new Map<OfferKey, string>();
			const taken = new Map<OfferKey, TakenWhy>();
			for (const [key, why] of marked) {
				const text = wanted.get(key);
				if (text === known.get(key)) marked.delete(key);
				else if (text === undefined) taken.set(key, why);
				else put.set(key, text);
			}
			return marked.size === 0 ? undefined : { put, taken };
		},
		told({ put, taken }) {
			// Whatever changed meanwhile stays marked: the next delta compares.
			for (const [key, text] of put) {
				known.set(key, text);
				if (wanted.get(key) === text) marked.delete(key);
			}
			for (const key of taken.keys()) {
				known.delete(key);
				if (!wanted.has(key)) marked.delete(key);
			}
		},
		has(offers) {
			known = new Map(offers);
			for (const key of wanted.keys()) mark(key);
			for (const [key, text] of known) if (!wanted.has(key) && !readOffer(key, text).ok) mark(key);
			if (isSettled) markLeftovers();
		},
	};
}
