/**
 * The services that exist by label on other hosts, as this host has them, too: after all of its own, so that no other host
 * takes a name or a DNS name from here. Pure.
 */

import { isDeepStrictEqual } from "node:util";
import { SERVICE_DEFAULTS, type Service } from "../config/schema.js";
import type { OfferedService } from "./offer.js";
import type { HostInfo } from "./registry.js";

export interface RemoteServices {
	/** Takes in what hosts declare now. True when that changes anything. */
	take(hosts: Iterable<Pick<HostInfo, "host" | "services">>): boolean;
	/** Those that nothing of this host's own stands against, by name; the same values while they do not change. */
	beside(own: Readonly<Record<string, Service>>): Readonly<Record<string, Service>>;
	/** A host that declares the service now; undefined where none does. */
	declaredBy(name: string): string | undefined;
	/** False where it was none of them. */
	forget(name: string): boolean;
	clear(): void;
	/** All of them, as the next run has to know them. */
	all(): readonly OfferedService[];
}

interface Known {
	readonly offered: OfferedService;
	readonly service: Service;
	/** Who declared it last; of an earlier run nobody knows. */
	readonly by: ReadonlySet<string>;
}

/** Behind all services by label of this host. */
const FIRST_ORDER = 1_000_000;

/** @param remembered those of an earlier run */
export function createRemoteServices(remembered: readonly OfferedService[] = []): RemoteServices {
	const known = new Map<string, Known>();
	let last = FIRST_ORDER;

	const put = (offered: OfferedService, by: ReadonlySet<string>): boolean => {
		const { name, mode, hosts, drainTimeout } = offered;
		const before = known.get(name);
		const isSame = before !== undefined && isDeepStrictEqual(before.offered, offered);
		const order = before?.service.order ?? ++last;
		const service = isSame ? before.service : { ...SERVICE_DEFAULTS, mode, hosts: [...hosts], drainTimeout, order };
		known.set(name, { offered: isSame ? before.offered : offered, service, by });
		return !isSame;
	};
	for (const one of remembered) put(one, new Set());

	return {
		take(hosts) {
			const present = new Set<string>();
			const declared = new Map<string, { readonly host: string; readonly offered: OfferedService }[]>();
			for (const { host, services } of [...hosts].sort((a, b) => (a.host < b.host ? -1 : 1))) {
				present.add(host);
				for (const offered of services) {
					const those = declared.get(offered.name) ?? [];
					declared.set(offered.name, those);
					those.push({ host, offered });
				}
			}
			let isOther = false;
			for (const [name, those] of declared) {
				const together = agreed(
					those.map(({ offered }) => offered),
					known.get(name)?.offered.mode,
				);
				if (together !== undefined && put(together, new Set(those.map(({ host }) => host)))) isOther = true;
			}
			for (const [name, { by }] of known) {
				// who is gone may be back; who is there and says nothing of it any more has forgotten it
				const isForgotten = !declared.has(name) && by.size > 0 && [...by].every((host) => present.has(host));
				if (isForgotten && known.delete(name)) isOther = true;
			}
			return isOther;
		},
		beside(own) {
			const routed = new Set(Object.values(own).flatMap(({ hosts }) => hosts.map((host) => host.toLowerCase())));
			const services: Record<string, Service> = {};
			for (const [name, { service }] of [...known].sort(
				([, a], [, b]) => (a.service.order ?? 0) - (b.service.order ?? 0),
			)) {
				const hosts = service.hosts.map((host) => host.toLowerCase());
				if (Object.hasOwn(own, name) || hosts.some((host) => routed.has(host))) continue;
				for (const host of hosts) routed.add(host);
				services[name] = service;
			}
			return services;
		},
		declaredBy: (name) => known.get(name)?.by.values().next().value,
		forget: (name) => known.delete(name),
		clear: () => known.clear(),
		all: () => [...known.values()].map(({ offered }) => offered),
	};
}

/** What hosts that declare one service come to: those that agree on its mode, with what it was before first. */
function agreed(
	all: readonly OfferedService[],
	modeBefore: OfferedService["mode"] | undefined,
): OfferedService | undefined {
	const [first] = all;
	if (first === undefined) return undefined;
	const mode = all.some((one) => one.mode === modeBefore) && modeBefore !== undefined ? modeBefore : first.mode;
	const those = all.filter((one) => one.mode === mode);
	const { name, drainTimeout } = those[0] ?? first;
	return { name, mode, hosts: [...new Set(those.flatMap(({ hosts }) => hosts))].sort(), drainTimeout };
}
