/**
 * Joins the pipeline with the registry: what is a backend here is told there, and what others tell is taken in here. Opens
 * another member when the configuration names another one. Decides nothing of backends.
 */

import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { Config, FleetConfig } from "./config/schema.js";
import type { OfferedService } from "./fleet/offer.js";
import { openMember } from "./fleet/open.js";
import type { HostChange, HostInfo, Member, MemberOptions } from "./fleet/registry.js";
import { growFreely } from "./heap.js";
import type { Pipeline } from "./pipeline-port.js";

/** What is not known so long after the start is not waited for, unless an engine has yet to answer. */
const SETTLED_MS = 10_000;
const LOOK_MS = 250;
/** More hosts than these that come in one step are told of by their number. */
const MANY = 10;

/** This host among the others. */
export interface Fleet {
	readonly cluster: string;
	/** What it is called there: as configured when it joined. */
	readonly host: string;
	readonly zone: string | undefined;
	readonly member: Member;
}

export interface FleetLinkOptions {
	readonly config: Config;
	readonly pipeline: Pick<
		Pipeline,
		| "onRemote"
		| "onRemoteComplete"
		| "recheck"
		| "forgetRemote"
		| "onLocalAddress"
		| "offers"
		| "isUnsure"
		| "remembered"
	>;
	readonly log: Logger;
	/** The registry is reached, or no longer. */
	onStatus?(): void;
	/** Default: as configured. */
	readonly open?: (fleet: FleetConfig, options: MemberOptions) => Promise<Member>;
}

export interface FleetLink {
	/** Undefined while the configuration names no registry. */
	readonly fleet: Fleet | undefined;
	/** Resolves when the registry was read in full once; at once where nothing is read. */
	readonly complete: Promise<void>;
	/** The same, or the registry was reported frozen: it is down, and nobody is to wait for it. One that is slow is neither. */
	readonly dealtWith: Promise<void>;
	/** What this host has was read: from now on it is known when all of it is offered. */
	begin(): void;
	/** The services by label may be others by now. */
	declare(): void;
	/** Backends of other hosts stay until the other registry was read in full, or there is none. */
	reconfigure(config: Config): Promise<void>;
	close(): Promise<void>;
}

export async function openFleetLink(options: FleetLinkOptions): Promise<FleetLink> {
	const { pipeline, log, onStatus, open = openMember } = options;
	let current = options.config;
	const startedMs = performance.now();
	let fleet: Fleet | undefined;
	let joinedBy: JoinedBy | undefined;
	let hasBegun = false;
	let settling: NodeJS.Timeout | undefined;
	/** Those of which the pipeline was told. */
	let hosts = new Set<string>();
	let isComplete: () => void = () => {};
	const complete = new Promise<void>((resolve) => {
		isComplete = resolve;
	});
	let isDown: () => void = () => {};
	const down = new Promise<void>((resolve) => {
		isDown = resolve;
	});

	/** Looks now and then, until all that is here is offered: only then it is known what of an earlier run is gone. */
	const settle = () => {
		clearTimeout(settling);
		if (!hasBegun || fleet === undefined) return;
		const unsure = pipeline.isUnsure();
		if (unsure === undefined || (unsure === "pending" && performance.now() - startedMs >= SETTLED_MS)) {
			fleet.member.settled();
		} else settling = setTimeout(settle, LOOK_MS);
	};

	const declare = () => fleet?.member.declare(pipeline.remembered().services.map(offeredService));

	/** A line for each host that came or went; many that come at once, as at the start, share one. */
	const report = (changes: readonly HostChange[], come: readonly HostInfo[]) => {
		for (const change of changes) {
			if (change.kind !== "over") continue;
			log.info({ host: change.host, said: change.said, reason: change.why }, "host is gone");
		}
		if (come.length > MANY) return log.info({ count: come.length }, "hosts are there");
		for (const { host, zone, version, draining } of come) {
			log.info({ host, ...(zone !== undefined && { zone }), version, ...(draining && { draining }) }, "host is there");
		}
	};

	const join = async (by: JoinedBy) => {
		/** Those that this member told of. */
		const told = new Set<string>();
		const isCurrent = () => joinedBy === by;
		const { host, zone } = by;
		let hasRead = false;
		const member = await open(by.fleet, {
			host,
			zone,
			lease: by.fleet.lease,
			publish: by.fleet.publish,
			subscribe: by.fleet.subscribe,
			onChange(changes) {
				if (!isCurrent()) return;
				// the first of all hosts, which are read at once: until that is done, or ends
				if (!hasRead) growFreely(true);
				const come: HostInfo[] = [];
				for (const change of changes) {
					const name = change.kind === "over" ? change.host : change.host.host;
					if (change.kind === "over") hosts.delete(name);
					else {
						if (!hosts.has(name)) come.push(change.host);
						hosts.add(name);
					}
					told.add(name);
				}
				report(changes, come);
				pipeline.onRemote(changes);
			},
			onComplete(beganMs) {
				if (!isCurrent()) return;
				const others = [...hosts].filter((name) => !told.has(name));
				for (const name of others) hosts.delete(name);
				if (others.length > 0) {
					const why = "it is not in the registry that the configuration names now";
					pipeline.onRemote(others.map((name) => ({ kind: "over", host: name, said: true, why })));
				}
				pipeline.onRemoteComplete(beganMs);
				isComplete();
				hasRead = true;
				growFreely(false);
			},
			onState(state) {
				if (!isCurrent()) return;
				onStatus?.();
				if (state.state === "up") {
					log.info("the registry of the fleet is up: backends of other hosts follow it");
					// this host's network may have been gone meanwhile, and its addresses with it
					pipeline.recheck();
					return;
				}
				log.error(
					{ reason: state.why },
					"the registry of the fleet is frozen: backends of other hosts stay as they are",
				);
				isDown();
				growFreely(false);
			},
			// those by label are declared
			drainTimeout: () => Math.max(0, ...Object.values(current.services).map((service) => service.drainTimeout)),
			onLocalAddress: (address) => isCurrent() && pipeline.onLocalAddress(address),
			onRejected: (line) => log.warn(line),
			now: () => performance.now(),
		});
		fleet = { cluster: by.fleet.cluster, host, zone, member };
		if (!by.fleet.subscribe) isComplete();
		member.offer(pipeline.offers());
		declare();
		settle();
	};

	const leave = async () => {
		const member = fleet?.member;
		fleet = undefined;
		clearTimeout(settling);
		growFreely(false);
		await member?.close();
	};

	const enter = async (config: Config) => {
		joinedBy = config.fleet && { fleet: config.fleet, host: config.host, zone: config.fleet.zone };
		if (joinedBy?.fleet.subscribe !== true) {
			hosts = new Set();
			pipeline.forgetRemote();
		}
		if (joinedBy === undefined) isComplete();
		else await join(joinedBy);
	};

	await enter(options.config);
	return {
		get fleet() {
			return fleet;
		},
		complete,
		dealtWith: Promise.race([complete, down]),
		begin() {
			hasBegun = true;
			settle();
		},
		declare,
		async reconfigure(config) {
			current = config;
			const next = config.fleet && { fleet: config.fleet, host: config.host, zone: config.fleet.zone };
			if (isDeepStrictEqual(next, joinedBy)) return;
			joinedBy = undefined;
			await leave();
			await enter(config);
		},
		async close() {
			joinedBy = undefined;
			await leave();
		},
	};
}

/** What a member was opened with. */
interface JoinedBy {
	readonly fleet: FleetConfig;
	readonly host: string;
	readonly zone: string | undefined;
}

const offeredService = ({ name, mode, hosts, drainTimeout }: OfferedService): OfferedService => ({
	name,
	mode,
	hosts,
	drainTimeout,
});
