/** Whether an edge has what the registry has, and since when and why not. Pure: time comes as an argument. */

import type { RegistryState } from "../registry.js";

/** What may be wrong: with the looks at the leases, the stream, or the reads of hosts. */
export type Trouble = "looks" | "stream" | "reads";

export interface Health {
	wrong(what: Trouble, why: string, nowMs: number): void;
	right(what: Trouble, nowMs: number): void;
	readonly state: RegistryState;
	/** Whether hosts can be read and followed now; whether all were read is another matter. */
	readonly isReachable: boolean;
}

/** @param onState is told of each other state, and of another reason */
export function createHealth(nowMs: number, why: string, onState: (state: RegistryState) => void): Health {
	const troubles = new Map<Trouble, string>([["reads", why]]);
	let state: RegistryState = { state: "frozen", sinceMs: nowMs, why };

	const become = (atMs: number) => {
		// Without all hosts read nothing is well, but the reason is what stops the read.
		const worst = troubles.get("looks") ?? troubles.get("stream") ?? troubles.get("reads");
		if (worst === undefined) {
			if (state.state === "up") return;
			state = { state: "up" };
		} else {
			if (state.state === "frozen" && state.why === worst) return;
			state = { state: "frozen", sinceMs: state.state === "frozen" ? state.sinceMs : atMs, why: worst };
		}
		onState(state);
	};

	return {
		wrong(what, reason, atMs) {
			troubles.set(what, reason);
			become(atMs);
		},
		right(what, atMs) {
			troubles.delete(what);
			become(atMs);
		},
		get state() {
			return state;
		},
		get isReachable() {
			return !troubles.has("looks") && !troubles.has("stream");
		},
	};
}
