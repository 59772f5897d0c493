/** What the daemon says of this host among the others: the shape of `fleet` in the JSON of docs/commands.md. Types only. */

/** `frozen`: what is known of others stays as it is. `since` is ISO 8601, `why` a clause with its mend. */
export type RegistryView =
	| { readonly state: "up" }
	| { readonly state: "frozen"; readonly since: string; readonly why: string };

/** Whether others know what this host offers. */
export type PublishingView =
	| { readonly state: "off" }
	| { readonly state: "current"; readonly incarnation: number; readonly sequence: number }
	| { readonly state: "behind"; readonly since: string; readonly why: string }
	/** Another one tells for a host of this name. */
	| { readonly state: "refused"; readonly why: string };

/** Another host. */
export interface HostView {
	readonly host: string;
	readonly zone?: string;
	/** `doubtful`: its lease seems to be over, and its backends stay until that is sure. */
	readonly state: "live" | "draining" | "doubtful";
	readonly version: string;
	readonly incarnation: number;
	readonly sequence: number;
	/** How many it offers. */
	readonly backends: number;
	/** Milliseconds. */
	readonly leaseMs: number;
	/** Milliseconds until its lease ends, as of the last look; absent before the first. */
	readonly leaseLeftMs?: number;
	/** How long its last change was on its way, in milliseconds, where that is known. */
	readonly lagMs?: number;
}

export interface FleetView {
	readonly cluster: string;
	/** What this host is called in the registry, and where it is. */
	readonly host: string;
	readonly zone?: string;
	readonly registry: RegistryView;
	readonly publishing: PublishingView;
	/** It said goodbye: others are to send it no new work. */
	readonly draining: boolean;
	/** How many backends this host offers to others. */
	readonly offers: number;
	/** By name. */
	readonly hosts: readonly HostView[];
	/** Values of others that could not be used, since the start, and the last one in words. */
	readonly rejected: number;
	readonly lastRejected?: string;
	/** Since the start: hosts that were read in full, and gaps in what was told. */
	readonly wholeReads: number;
	readonly gaps: number;
	/** Milliseconds until the registry had each of the last changes of this host, the newest last. */
	readonly publishMs: readonly number[];
}
