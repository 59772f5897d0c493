/**
 * The daemon as whoever asks it sees it: what it says of itself, and what it can be told. The one port of the admin
 * stage, and the shape of the JSON in docs/commands.md. Knows no pipeline, and no kind of proxy.
 */

import type { Explained, Question } from "./explain-view.js";
import type { FleetView } from "./fleet-view.js";
import type { HistogramView } from "./histogram-view.js";

/** A backend, by the names that commands take. */
export interface BackendName {
	readonly service: string;
	/** `address:port`. */
	readonly id: string;
}

/** What a person can do with a backend: no new work, or out. */
export type HoldState = "drain" | "down";

export interface Hold extends BackendName {
	readonly state: HoldState;
}

/** What may speak against a backend that listens: it was told to stop, its process is paused, or it accepts nothing. */
export const UNFIT = ["stopping", "paused", "hung"] as const;

export interface BackendView {
	/** `address:port`. */
	readonly id: string;
	/** `out`: it listens, and is not in the pool. */
	readonly state: "ready" | "closing" | "drain" | "down" | "out";
	/** True when the state is a person's word. */
	readonly held: boolean;
	/** Why, as a clause. */
	readonly reason: string;
	/** When it got this state, ISO 8601. */
	readonly since: string;
	/** Why it should get no new work, be it out for that or not; absent where nothing speaks against it. */
	readonly unfit?: (typeof UNFIT)[number];
	/** The other host that it is on; absent: this one. */
	readonly host?: string;
}

export interface ServiceView {
	readonly name: string;
	readonly backends: readonly BackendView[];
}

/** A change that a proxy took. */
export interface LastApplied {
	/** ISO 8601. */
	readonly at: string;
	/** Milliseconds of each stage. */
	readonly stagesMs: Readonly<Record<string, number>>;
}

/** A proxy; what it counts is since the daemon started, or since its configuration changed. */
export interface ProxyView {
	readonly name: string;
	readonly type: string;
	readonly mode: string;
	readonly state: "starting" | "applied" | "observing" | "unreachable" | "failed";
	/** With `unreachable` and `failed`. */
	readonly why?: string;
	/** With `failed`: what the proxy goes on serving. */
	readonly serving?: string;
	/** With `observing`: what would be done. */
	readonly steps?: readonly string[];
	/** Changes that reached the proxy, with or without a reload. */
	readonly applied: number;
	readonly reloads: number;
	readonly failed: number;
	/** Backends put in or taken out in the running proxy, without a reload. */
	readonly fastChanges: number;
	/** Reloads that failed, among `failed`. */
	readonly failedReloads: number;
	readonly delays: ProxyDelays;
	readonly lastApplied?: LastApplied;
	/** With `observing`, where the proxy has health checks of its own. */
	readonly compared?: ComparedView;
}

/** How long changes took, in seconds. */
export interface ProxyDelays {
	/** From the kernel's event, where one caused a change, until the proxy had a backend that listens. */
	readonly listen: HistogramView;
	/** Likewise, until the proxy no longer had one that closed, or that was told to stop. */
	readonly close: HistogramView;
	/** How long changes waited for others to go with, or for the loop to have time. */
	readonly settle: HistogramView;
}

/** How much later than the kernel a proxy's own checks were; without times when there was nothing yet. */
export interface DelaysView {
	readonly count: number;
	readonly medianMs?: number;
	readonly maxMs?: number;
}

/** What the proxy's own health checks said beside the kernel, since it is observed. */
export interface ComparedView {
	readonly up: DelaysView;
	readonly down: DelaysView;
	/** How often one came or went, and back, before a check noticed. */
	readonly unnoticed: number;
	/** How often the proxy changed its mind, and the kernel did not. */
	readonly byChecksAlone: number;
	/** As the proxy names them. */
	readonly onlyInProxy: readonly string[];
	/** As `service/address:port`. */
	readonly onlyInSolistend: readonly string[];
	/** They listen, and the proxy has them out. */
	readonly downInProxy: readonly string[];
	/** The proxy does not check them. */
	readonly unchecked: readonly string[];
}

/** Whether the kernel's changes are told as they happen. While they are not, backends stay as they are. */
export type SensorView =
	| { readonly state: "up" }
	/** `since` is ISO 8601, `why` a clause. */
	| { readonly state: "down"; readonly since: string; readonly why: string };

export interface DaemonStatus {
	readonly version: string;
	readonly host: string;
	readonly pid: number;
	/** ISO 8601. */
	readonly startedAt: string;
	readonly uptimeMs: number;
	/** The configuration file. */
	readonly config: string;
	/** How many endpoints listen on the whole host. */
	readonly listeners: number;
	readonly services: readonly ServiceView[];
	/** What a person holds, also where nothing listens now. */
	readonly holds: readonly Hold[];
	readonly proxies: readonly ProxyView[];
	readonly sensor: SensorView;
	/** What the sensor lost since the start, by reason; each loss led to a read of the kernel's table. */
	readonly losses: Readonly<Record<string, number>>;
	/** This host among others; absent: there are none, as far as the configuration goes. */
	readonly fleet?: FleetView;
}

/** A backend got another state, or another reason for it. */
export interface TimelineEntry {
	/** ISO 8601. */
	readonly at: string;
	readonly service: string;
	/** `address:port`. */
	readonly backend: string;
	/** `gone`: it is no more. */
	readonly state: BackendView["state"] | "gone";
	readonly held: boolean;
	readonly reason: string;
}

/** What became of backends lately, as far as it is remembered. */
export interface TimelineView {
	/** The oldest that could be told of, ISO 8601. */
	readonly since: string;
	/** The oldest first. */
	readonly entries: readonly TimelineEntry[];
}

export interface DaemonView {
	status(): DaemonStatus;
	/** Of backends that listeners of this host lead to. */
	timeline(): TimelineView;
	/**
	 * Tells, until the function that is returned is called, that something of the status may be another: at once, and as
	 * often as it happens. What grows or runs out by itself is told by nobody.
	 */
	subscribe(tell: () => void): () => void;
	/** All that listens, as `ls --json` has it. */
	listeners(): readonly object[];
	/** Why listeners are where they are; undefined: those that are neither plainly in a pool nor plainly unwanted. */
	explain(question: Question | undefined): Explained;
	hold(backends: readonly BackendName[], state: HoldState): Promise<Kept>;
	/** Back to what the daemon makes of them. */
	release(backends: readonly BackendName[]): Promise<Kept>;
	/** A service that exists by label is no more. */
	forget(service: string): Promise<Forgotten>;
	/** Tells other hosts to send this one no new work and then to forget it, or takes that back. */
	drainHost(isDraining: boolean): Promise<DrainedHost>;
	/** Reads the kernel's table and looks at every proxy, soon. */
	resync(): void;
	/** Reads configuration and templates again. The problems of a version that was not taken; none when it was. */
	reload(): Promise<readonly string[]>;
}

/** Done, or why not, as a clause with its mend. */
export type Forgotten = ({ readonly ok: true } & Kept) | { readonly ok: false; readonly message: string };

/** What others were told, and of how many backends; or why not, as a clause with its mend. */
export type DrainedHost =
	| { readonly ok: true; readonly host: string; readonly cluster: string; readonly backends: number }
	| { readonly ok: false; readonly message: string };

/** Whether the operator's word outlives the daemon; if not, why, with the mend. */
export interface Kept {
	readonly warning: string | undefined;
}
