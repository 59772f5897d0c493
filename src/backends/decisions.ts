/** How a judgement came about, for whoever asks: each rule's decision, and the addresses that were refused. Pure. */

import type { Misfit } from "./labels/decide.js";
import type { MatchResult } from "./match.js";

/** Whether a listener is one of a service's, and where not, which key of the match it fails, and why. */
export type RuleDecision = { readonly service: string } & MatchResult;

/** A service whose rule matched, and that can't reach the listener. `why` is a clause. */
export interface Refusal {
	readonly service: string;
	/** It may change without anything else changing. */
	readonly pending: boolean;
	readonly why: string;
}

/** A notebook that a judge fills in on its way, where it is given one: so an explanation can't differ from the verdict. */
export interface Decisions {
	readonly rules: RuleDecision[];
	/** Why what its container declares does not lead to more, each as a clause. */
	readonly labels: string[];
	/** The services among them that it names. */
	readonly misfits: Misfit[];
	readonly refused: Refusal[];
}
