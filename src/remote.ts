/**
 * The backends of other hosts beside those of this one: keeps the roster, and does in the pools what follows from it. Knows
 * nothing of the registry.
 */

import { isDeepStrictEqual } from "node:util";
import type { BackendId, BackendRef } from "./backends/backend.js";
import type { Pools } from "./backends/pools.js";
import type { BackendStatus, ServiceStatus } from "./backends/status.js";
import type { Config } from "./config/schema.js";
import type { HostChange, HostInfo } from "./fleet/registry.js";
import { createRoster, type RefusedOffer, type RosterRules } from "./fleet/roster.js";
import { createGrouped } from "./grouped.js";

export interface Remote {
	/** True when hosts declare other services now. */
	take(changes: readonly HostChange[]): boolean;
	hosts(): Iterable<HostInfo>;
	/** A backend of this host came to a place, or left it. */
	local(id: BackendId, is: "in" | "out"): void;
	/** The service is there from now on. */
	serve(service: string): void;
	reconfigure(config: Pick<Config, "fleet">): void;
	/** There are no others any more. */
	clear(): void;
	/** Does in the pools what is to be done since it was called last. */
	step(pools: Pick<Pools, "set" | "close" | "drop">): void;
	/**
	 * The registry was read in full. Until when others may be missing in it all the same: one that was emptied has each host
	 * again within its lease.
	 */
	heard(): number;
	/** Whether other hosts may have more than is known of them. */
	readonly isAwaited: boolean;
	/** Of an offer that does not join; undefined where there is none at this place. */
	statusAsOf(ref: BackendRef): (() => BackendStatus) | undefined;
	/** With the offers that do not join. */
	withRefused(services: readonly ServiceStatus[]): readonly ServiceStatus[];
}

/** @param now milliseconds of a clock that does not jump */
export function createRemote(config: Pick<Config, "fleet">, now: () => number): Remote {
	let { fleet } = config;
	const roster = createRoster(rulesOf(config));
	const declared = new Map<string, HostInfo["services"]>();
	let heardMs: number | undefined;
	const untilMs = () => (heardMs === undefined ? Number.POSITIVE_INFINITY : heardMs + (fleet?.lease ?? 0));

	return {
		take(changes) {
			roster.take(changes, now());
			const isOther = (change: HostChange) => {
				if (change.kind === "over") return declared.delete(change.host);
				const { host, services } = change.host;
				const before = declared.get(host);
				declared.set(host, services);
				return before !== services && !isDeepStrictEqual(before ?? [], services);
			};
			return changes.filter(isOther).length > 0;
		},
		hosts: roster.hosts,
		local: roster.local,
		serve: roster.serve,
		reconfigure(next) {
			({ fleet } = next);
			roster.reconfigure(rulesOf(next));
		},
		clear() {
			declared.clear();
			roster.clear();
		},
		step(pools) {
			for (const change of roster.changes(now())) {
				switch (change.kind) {
					case "set":
						pools.set(change.endpoint, [change.claim], "", now());
						break;
					case "closed":
						pools.close(change.endpoint, now());
						break;
					case "dropped":
						pools.drop(change.endpoint);
						break;
					case "doubtful":
						pools.set(change.endpoint, [], change.why, now());
						break;
					default:
						change satisfies never;
				}
			}
		},
		heard() {
			heardMs ??= now();
			return untilMs();
		},
		get isAwaited() {
			return fleet?.subscribe === true && now() < untilMs();
		},
		statusAsOf({ service, id }) {
			const refused = roster.refusedAt(service, id);
			return refused && (() => statusOfRefused(refused));
		},
		withRefused(services) {
			const all = roster.refused();
			if (all.length === 0) return services;
			const refused = createGrouped<string, RefusedOffer>();
			for (const one of all) refused.add(one.service, one);
			return services.map(({ name, backends }) => {
				const known = new Set(backends.map(({ id }) => id));
				const more = [...refused.of(name)].filter(({ id }) => !known.has(id)).map(statusOfRefused);
				if (more.length === 0) return { name, backends };
				return { name, backends: [...backends, ...more].sort((a, b) => (a.id < b.id ? -1 : 1)) };
			});
		},
	};
}

const statusOfRefused = ({ id, host, why, sinceMs }: RefusedOffer): BackendStatus => ({
	id,
	state: "out",
	held: false,
	reason: `host ${host} offers it: ${why}`,
	sinceMs,
	host,
});

const rulesOf = ({ fleet }: Pick<Config, "fleet">): RosterRules => ({
	zones: fleet?.zones ?? {},
	maxPerHost: fleet?.maxPerHost,
});
