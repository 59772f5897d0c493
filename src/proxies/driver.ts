/**
 * The port of proxies: what a kind of proxy must be able to do for the loop to keep it equal to the desired set. Read
 * what is, compare without acting, carry out. Knows no kind of proxy.
 */

import type { Logger } from "pino";
import type { Backend, BackendRef, DesiredChange, DesiredSet } from "../backends/backend.js";
import type { SolistendError } from "../errors.js";

/**
 * A driver of one proxy. `Actual` and `Step` are its own affair: the loop only hands back what it was given.
 */
export interface Driver<Actual = unknown, Step = unknown> {
	/** What the proxy has now. @throws SolistendError when that can not be told. */
	read(signal: AbortSignal): Promise<Actual>;
	/** The servers that it has from an earlier run: what a restart must not lose. */
	serversOf(actual: Actual): readonly ServerAddress[];
	/** The same, of a text of its file alone: for a proxy that can't be asked. Pure. */
	serversIn(text: string): readonly ServerAddress[];
	/**
	 * What it takes to get from there to the desired set. Does nothing to the proxy; what is planned is remembered where
	 * there is a fast lane, which goes on from it. @throws SolistendError for a template that fails.
	 */
	plan(actual: Actual, desired: DesiredSet): Plan<Step>;
	/** One line for people. */
	describe(step: Step): string;
	/** Carries out the steps of a plan and reads back. Rejects only when the signal is aborted. */
	run(steps: readonly Step[], signal: AbortSignal): Promise<Outcome>;
	/** Takes in a read, before it is planned with: what it tells that nobody here did. */
	take?(actual: Actual): Taken;
	/** Tells when the proxy was started anew, or is back: then all of it is to be looked at. */
	watch?(onRestart: () => void): { close(): void };
	/** Absent where every change takes a file and a reload. */
	readonly fast?: FastLane<Step>;
	/** Holds what is desired against what the proxy's own health checks say; for one that is observed. */
	compare?(options: CompareOptions): Comparison;
	close(): Promise<void>;
}

export interface CompareOptions {
	/** The newest desired set; undefined while it is not known. */
	desired(): DesiredSet | undefined;
	/** The newest word on one backend; undefined: it is out. */
	backend(ref: BackendRef): Backend | undefined;
	readonly log: Logger;
}

export interface Comparison {
	/** The desired set changed; in the clock of `performance.now()`. */
	notify(change: DesiredChange): void;
	readonly summary: Compared;
	close(): Promise<void>;
}

/** How much later than the kernel a proxy's own checks were. */
export interface Delays {
	readonly count: number;
	/** Of the newest thousand. */
	readonly medianMs?: number;
	readonly maxMs?: number;
}

/** What a comparison has found so far. */
export interface Compared {
	/** Backends that began to listen. */
	readonly up: Delays;
	/** Backends that closed. */
	readonly down: Delays;
	/** How often one came or went, and back, before a check noticed. */
	readonly unnoticed: number;
	/** How often the proxy changed its mind, and the kernel did not. */
	readonly byChecksAlone: number;
	/** Servers that the proxy has in, and solistend does not know; as the proxy names them. */
	readonly onlyInProxy: readonly string[];
	/** Backends that the proxy does not have, as `service/address:port`. */
	readonly onlyInSolistend: readonly string[];
	/** Servers that listen, and that the proxy has out. */
	readonly downInProxy: readonly string[];
	/** Servers that both have, and that the proxy does not check. */
	readonly unchecked: readonly string[];
}

/** What a read brought. */
export interface Taken {
	/** States that somebody else than solistend set. */
	readonly byOthers: readonly OperatorChange[];
	/** True when all is as it was left: then there is nothing to plan. */
	readonly isSame: boolean;
}

/** Changes single backends in the running proxy at once, in constant time each. */
export interface FastLane<Step = unknown> {
	/**
	 * Makes the proxy equal to what is desired for these backends. Rejects only when the signal is aborted.
	 *
	 * @param changed which may differ from what the proxy has
	 * @param wanted what is desired of one now; undefined: it is out
	 */
	apply(
		changed: readonly BackendRef[],
		wanted: (backend: BackendRef) => Backend | undefined,
		signal: AbortSignal,
	): Promise<FastOutcome>;
	/** What it takes for the file to follow all that was applied; undefined where that takes a plan. */
	follow(): readonly Step[] | undefined;
}

/** What the fast lane did; `behind`: the rest takes a plan, for the reason that is given as a clause. */
export type FastOutcome =
	| ({ readonly kind: "applied" } & ServerDiff)
	| ({ readonly kind: "behind"; readonly why: string } & ServerDiff);

/** A person's word, given to the proxy itself. */
export interface OperatorChange extends BackendRef {
	readonly state: "ready" | "drain" | "down";
}

/** A server of a service, by the address that the proxy connects to. */
export interface ServerAddress {
	readonly service: string;
	readonly address: string;
	readonly port: number;
}

export interface Plan<Step> {
	/** What can be done at once, without the file; carried out first, also where a reload has to wait. */
	readonly urgent?: readonly Step[];
	/** The file, and what follows it. None: nothing is to be done. */
	readonly steps: readonly Step[];
	readonly diff: ServerDiff;
	/** Whether a step is a reload, which the limiter has to allow. */
	readonly reload: boolean;
	/** The proxy has nothing of it yet, nor has anybody written the file: who only observes it is told of this once. */
	readonly isFirst?: boolean;
	/** Why the proxy can't be reached now, as a clause; the loop looks again later. */
	readonly unreachable?: string;
}

/** Servers as `service/server`, sorted. */
export interface ServerDiff {
	readonly joined: readonly string[];
	readonly left: readonly string[];
}

/** What carrying out a plan consists of. */
export type StageName = "runtime" | "stage" | "check" | "swap" | "reload" | "verify";

/** How long each stage took, in milliseconds; those that there were. */
export type StageTimes = Readonly<Partial<Record<StageName, number>>>;

export type Outcome =
	| { readonly kind: "applied"; readonly stagesMs: StageTimes }
	| {
			readonly kind: "failed";
			readonly stage: StageName;
			readonly error: SolistendError;
			/** What the proxy goes on serving, as a clause. */
			readonly serving: string;
			readonly stagesMs: StageTimes;
	  };

/** What a proxy goes on serving when nothing of it was changed. */
export const UNTOUCHED = "the previous configuration, which was not touched";
