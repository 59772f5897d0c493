/**
 * The seam between this host and the others: what a registry takes from a host and tells it of others. `local` and `redis`
 * are registries; one suite of tests holds both to what is written here. Types only.
 */

import type { Offer, OfferChange, OfferedService, OfferKey, TakenWhy } from "./offer.js";

/** Another host, as it says of itself. */
export interface HostInfo {
	readonly host: string;
	/** Where it is; absent: it does not say. */
	readonly zone?: string;
	/** Version of its solistend. */
	readonly version: string;
	/** Its lease, in milliseconds. */
	readonly lease: number;
	/** It said goodbye: nobody is to send it new work. */
	readonly draining: boolean;
	/** The services that exist by label there. */
	readonly services: readonly OfferedService[];
}

/** What is told of other hosts; never of this one. Within a host in order. */
export type HostChange =
	/** All that it offers, in place of what was known of it. */
	| {
			readonly kind: "whole";
			readonly host: HostInfo;
			readonly offers: ReadonlyMap<OfferKey, Offer>;
	  }
	/** What changed in what it offers. */
	| {
			readonly kind: "delta";
			readonly host: HostInfo;
			readonly put: ReadonlyMap<OfferKey, Offer>;
			readonly taken: ReadonlyMap<OfferKey, TakenWhy>;
			/** How long it was on its way, where the clocks allow to say so, in milliseconds. */
			readonly lagMs?: number;
	  }
	/** It is no more. `said`: by itself, after it drained. Else its lease ended, or it went stale; `why` is a clause. */
	| { readonly kind: "over"; readonly host: string; readonly said: boolean; readonly why: string };

export interface MemberOptions {
	/** Names of this host and of its zone. */
	readonly host: string;
	readonly zone: string | undefined;
	/** Milliseconds. */
	readonly lease: number;
	/** Whether it tells of itself, and whether it is told of others. */
	readonly publish: boolean;
	readonly subscribe: boolean;
	/** How long edges may take to drain this host, in milliseconds: the longest of its services. Default: 30 s. */
	drainTimeout?(): number;
	/** Takes in what is told of others; several at once belong to one step. */
	onChange(changes: readonly HostChange[]): void;
	/**
	 * All hosts were read, after `onChange` was told of what differs: whoever is in no registry is gone. Told after each
	 * connection, after each look that found the lease of a host to be over, and where it was asked for by `lookAgain`;
	 * `beganMs` in the clock of `now`.
	 */
	onComplete(beganMs: number): void;
	/** The registry can't be reached, or takes nothing, since now; or it is well again. */
	onState(state: RegistryState): void;
	/** The address of this host on the connection to the registry, with each connection that has one; not over a unix socket. */
	onLocalAddress?(address: string): void;
	/** Something that another host told can't be used: a line for the log, not too many. */
	onRejected?(line: string): void;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
}

/** `frozen`: what is known of others stays as it is, and what is told waits. `why` is a clause with its mend. */
export type RegistryState =
	| { readonly state: "up" }
	| { readonly state: "frozen"; readonly sinceMs: number; readonly why: string };

/** This host in the registry. Nothing of it ever throws or waits for the registry, but `drain` and `close`. */
export interface Member {
	/** Others are to be told. In order; what comes while one is on its way goes with the next one. */
	offer(changes: readonly OfferChange[]): void;
	/** The services that exist by label here, in place of those before. */
	declare(services: readonly OfferedService[]): void;
	/**
	 * All that this host has is offered by now: what an earlier run of the daemon offered, and this one has not, goes. Until
	 * then it stays: a restart takes nothing from others.
	 */
	settled(): void;
	/** All hosts are to be read once more, soon; `onComplete` says when that is done. Nothing where nothing is read. */
	lookAgain(): void;
	/**
	 * Says goodbye, so that others drain this host and then forget it, or takes that back. Kept in the registry: a daemon
	 * that starts again goes on draining. Resolves with why it could not, as a clause.
	 */
	drain(isDraining: boolean): Promise<string | undefined>;
	status(): MemberStatus;
	/** What was told stays, until its lease ends: a restart takes nothing from others. */
	close(): Promise<void>;
}

/** For `status --fleet`, `doctor` and the metrics. Times in the clock of `now`. */
export interface MemberStatus {
	readonly registry: RegistryState;
	/** What became of what this host tells. `why` with `behind` and `refused`. */
	readonly publishing:
		| { readonly state: "off" }
		| { readonly state: "current"; readonly incarnation: number; readonly sequence: number }
		/** Something waits to be told. */
		| { readonly state: "behind"; readonly sinceMs: number; readonly why: string }
		/** Somebody else tells for a host of this name. */
		| { readonly state: "refused"; readonly why: string };
	readonly draining: boolean;
	readonly offers: number;
	readonly hosts: readonly HostStatus[];
	/** Values of other hosts that could not be used, since the start, and the last of them in words. */
	readonly rejected: number;
	readonly lastRejected?: string;
	/** Since the start: hosts read in full, and how often the stream had a gap. */
	readonly wholeReads: number;
	readonly gaps: number;
	/** Milliseconds from a change here to the registry's word that it has it, of the last ones told; the newest last. */
	readonly publishMs: readonly number[];
}

/** Another host. */
export interface HostStatus extends HostInfo {
	/** `doubtful`: its lease seems to be over, and it stays until that is sure. */
	readonly state: "live" | "draining" | "doubtful";
	readonly incarnation: number;
	readonly sequence: number;
	readonly offers: number;
	/** Milliseconds until its lease ends, as of the last look; absent before the first. */
	readonly leaseLeftMs?: number;
	/** How long its last change was on its way, in milliseconds, where that is known. */
	readonly lagMs?: number;
}
