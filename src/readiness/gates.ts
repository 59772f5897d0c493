/**
 * The gates: for each endpoint and service that it would join, whether it has answered what it is asked. One that did is
 * asked no more for as long as the endpoint lives. Knows nothing of pools, nor of what follows once a gate opens.
 */

import { isDeepStrictEqual } from "node:util";
import { type BackendRef, refKey } from "../backends/backend.js";
import type { Claim } from "../backends/claims.js";
import type { Gate, Question } from "../backends/gate.js";
import type { EndpointKey } from "../listeners/ids.js";
import { type Asked, createAsking } from "./asking.js";
import type { Probe } from "./probe.js";
import { didNotAnswer, readyAfter, waitsFor } from "./words.js";

export interface GatesOptions {
	readonly probe: Probe;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** Whether one is in already, so that it need not answer. */
	isIn(claim: Claim): boolean;
	/** A gate opened, or did not in time: the endpoint's claims are to be passed through again. */
	onEnd(end: GateEnd): void;
}

/** What became of a gate. */
export interface GateEnd {
	readonly endpoint: EndpointKey;
	readonly backend: BackendRef;
	readonly isReady: boolean;
	/** How it went, as a clause. */
	readonly how: string;
}

export interface Gates {
	/** The claims of an endpoint, all that it has now: those that have to answer first with the gate before them. */
	pass(endpoint: EndpointKey, claims: readonly Claim[]): readonly Claim[];
	/**
	 * Begins to ask, once it is known what the proxies have from an earlier run: that has answered, then.
	 *
	 * @returns the endpoints whose claims are to be passed through again
	 */
	begin(served: readonly BackendRef[]): EndpointKey[];
	/** The endpoint closed: whatever was known of it. True when that was anything. */
	forget(endpoint: EndpointKey): boolean;
	/** Asks no more. */
	close(): void;
}

/** How far it is between an endpoint and a service. */
type Passage =
	| { readonly state: "passed" }
	| { readonly state: "failed"; readonly question: Question; readonly gate: Gate }
	| {
			readonly state: "waiting";
			readonly backend: BackendRef;
			readonly question: Question;
			readonly gate: Gate;
			/** Undefined before it began. */
			asked: Asked | undefined;
	  };

const PASSED: Passage = { state: "passed" };

export function createGates({ probe, now, isIn, onEnd }: GatesOptions): Gates {
	const { ask } = createAsking({ probe, now });
	/** By endpoint, then by service. */
	const passages = new Map<EndpointKey, Map<string, Passage>>();
	let hasBegun = false;

	const start = (endpoint: EndpointKey, waiting: Extract<Passage, { state: "waiting" }>) => {
		const { backend, question } = waiting;
		const asked = ask(question, (isReady) => {
			const how = isReady ? readyAfter(now() - asked.sinceMs, asked.probes) : didNotAnswer(question, asked.last);
			const failed: Passage = { state: "failed", question, gate: { state: "failed", why: () => how } };
			passages.get(endpoint)?.set(backend.service, isReady ? PASSED : failed);
			onEnd({ endpoint, backend, isReady, how });
		});
		waiting.asked = asked;
	};

	const open = (endpoint: EndpointKey, { backend: { service, id } }: Claim, question: Question): Passage => {
		const why = (nowMs: number) => {
			const { asked } = waiting;
			return waitsFor(question, asked?.last, asked === undefined ? question.ready.timeout : asked.untilMs - nowMs);
		};
		const waiting: Extract<Passage, { state: "waiting" }> = {
			state: "waiting",
			backend: { service, id },
			question,
			gate: { state: "waiting", why },
			asked: undefined,
		};
		if (hasBegun) start(endpoint, waiting);
		return waiting;
	};

	const end = (passage: Passage | undefined) => {
		if (passage?.state === "waiting") passage.asked?.stop();
	};

	/** What is known of a claim, if that still is what it has to answer. */
	const still = (passage: Passage | undefined, question: Question): Passage | undefined => {
		if (passage === undefined || passage.state === "passed") return passage;
		return isDeepStrictEqual(passage.question, question) ? passage : undefined;
	};

	return {
		pass(endpoint, claims) {
			const had = passages.get(endpoint);
			if (had === undefined && claims.every(({ asks }) => asks === undefined)) return claims;
			const now = new Map([...(had ?? [])].filter(([, { state }]) => state === "passed"));
			const passed = claims.map((claim) => {
				const { asks, backend } = claim;
				if (asks === undefined) return claim;
				const known = still(had?.get(backend.service), asks);
				const passage = known ?? (isIn(claim) ? PASSED : open(endpoint, claim, asks));
				now.set(backend.service, passage);
				return passage.state === "passed" ? claim : { ...claim, gate: passage.gate };
			});
			for (const [service, passage] of had ?? []) if (now.get(service) !== passage) end(passage);
			if (now.size > 0) passages.set(endpoint, now);
			else passages.delete(endpoint);
			return passed;
		},
		begin(served) {
			hasBegun = true;
			const keys = new Set(served.map(refKey));
			const again: EndpointKey[] = [];
			for (const [endpoint, services] of passages) {
				for (const [service, passage] of services) {
					if (passage.state !== "waiting") continue;
					if (keys.has(refKey(passage.backend))) {
						services.set(service, PASSED);
						again.push(endpoint);
					} else start(endpoint, passage);
				}
			}
			return again;
		},
		forget(endpoint) {
			passages.get(endpoint)?.forEach(end);
			return passages.delete(endpoint);
		},
		close() {
			hasBegun = false;
			for (const services of passages.values()) services.forEach(end);
			passages.clear();
		},
	};
}
