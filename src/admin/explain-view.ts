/** What the daemon says of listeners when it is asked why: the shape of the JSON of `explain`, documented in docs/commands.md. */

import type { BackendView } from "./view.js";

/** What a word can mean, in the order in which answers name it. */
export const MEANINGS = ["port", "pid", "netns", "container", "service", "backend"] as const;

export type Meaning = (typeof MEANINGS)[number];

/** What is asked: a word with whatever it may mean, or with one meaning; nothing: all that needs a look. */
export interface Question {
	readonly what: string;
	/** Undefined: all that fit. */
	readonly as: Exclude<Meaning, "backend"> | undefined;
}

/** One that the word turned out to have. */
export interface MeaningView {
	readonly meaning: Meaning;
	/** In full, e.g. the container's whole id with its name. */
	readonly name: string;
	/** How many listen, and how many of those that closed lately are remembered. */
	readonly listening: number;
	readonly closed: number;
}

/** The steps of a listener on its way to the proxies. */
export const STEPS = ["seen", "identity", "rule", "address", "pool", "proxy", "fleet"] as const;

export interface StepView {
	readonly step: (typeof STEPS)[number];
	/** From `rule` on. */
	readonly service?: string;
	/** Of a proxy. */
	readonly proxy?: string;
	/** `waiting`: it may go on by itself. `no`: it goes no further. */
	readonly state: "done" | "waiting" | "no";
	/** What came of it, and why, as a clause. */
	readonly text: string;
}

/** What can happen to a listener. */
export const CHANGES = [
	"listened",
	"sockets",
	"closed",
	"verdict",
	"addresses",
	"container",
	"stopping",
	"paused",
	"resumed",
	"hung",
	"accepting",
	"backend",
] as const;

export interface ChangeView {
	/** ISO 8601. */
	readonly at: string;
	readonly change: (typeof CHANGES)[number];
	/** `service/address:port`, of a backend. */
	readonly backend?: string;
	/** As a clause. */
	readonly text: string;
}

/** A service in which a listener is, or that it is kept out of after its rule matched. */
export interface PlaceView {
	readonly service: string;
	readonly backend: string;
	readonly state?: string;
	readonly why?: string;
}

export type VerdictView =
	| { readonly state: "in"; readonly places: readonly PlaceView[] }
	| { readonly state: "pending" | "out"; readonly why: string };

/** Where a listener is, and who. */
export interface WhereView {
	readonly netns: number;
	readonly netnsName?: string;
	readonly address: string;
	readonly port: number;
	/** Of the process that called `listen()`, on the socket that listens longest. */
	readonly pid: number;
	readonly comm: string;
}

/** A listener, or one that closed lately. */
export interface ExplainedView extends WhereView {
	readonly state: "listening" | "closed";
	/** Which of the question's meanings it has; empty where nothing was asked. */
	readonly means: readonly Meaning[];
	readonly hostname: string;
	/** Full id. */
	readonly container?: string;
	readonly containerName?: string;
	readonly unit?: string;
	/** ISO 8601; of one that listened already when the daemon started, when it was found. */
	readonly since: string;
	/** Of one that closed. */
	readonly closedAt?: string;
	/** Of one that listens: in which pool, or why in none, as in `ls --json`. */
	readonly verdict?: VerdictView;
	/** No rule matches it, and that is all. */
	readonly unmatched?: boolean;
	/** In order; of one that closed there are none. */
	readonly steps: readonly StepView[];
	/** The first step that is not done; absent when all are, and when no rule matches. */
	readonly waitingFor?: StepView;
	/** Its last changes, the oldest first. */
	readonly history: readonly ChangeView[];
}

/**
 * Backends that no listener here leads to: on another host, kept for a moment, taken over from a proxy, or held by a person;
 * and one that was, where it is asked for by its name.
 */
export interface StrayView extends Omit<BackendView, "since"> {
	readonly service: string;
	/** Absent where nothing is there but the hold. */
	readonly since?: string;
	/** Its last changes, the oldest first, where it is asked for and there are any. */
	readonly history?: readonly ChangeView[];
}

/** A listener that a service nearly has. */
export interface MissView extends WhereView {
	readonly service: string;
	/** Which key of the match it fails, or `label`, and why, as a clause. */
	readonly key: string;
	readonly text: string;
}

export interface ExplainView {
	/** Since when changes are recorded, ISO 8601. */
	readonly recordedSince: string;
	/** What the word means; empty where nothing was asked. */
	readonly meanings: readonly MeaningView[];
	/** Those that listen first. */
	readonly listeners: readonly ExplainedView[];
	/** How many more fit. */
	readonly more: number;
	readonly strays: readonly StrayView[];
	/** Of a service that nothing listens for: those that came nearest. */
	readonly misses: readonly MissView[];
	/** Where nothing was asked: how many others there are, plainly in a pool, or matched by no rule. */
	readonly others?: { readonly in: number; readonly unmatched: number };
}

/** An answer, or that nothing fits, with the names that are nearest. */
export type Explained =
	| { readonly ok: true; readonly answer: ExplainView }
	| { readonly ok: false; readonly message: string };
