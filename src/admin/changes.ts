/** What became another from one status to the next: the events of `GET /v1/events`, documented in docs/commands.md. Pure. */

import { isDeepStrictEqual } from "node:util";
import type { BackendView, DaemonStatus, ProxyView } from "./view.js";

/** Beyond so many at once the whole status is told: it is shorter, or nearly so. */
const MAX_CHANGES = 500;

export type StatusEvent =
	/** All of it: the first event, and where too much changed to tell one by one. */
	| { readonly event: "status"; readonly data: DaemonStatus }
	| { readonly event: "backend"; readonly data: BackendView & { readonly service: string } }
	| { readonly event: "backend-gone"; readonly data: { readonly service: string; readonly id: string } }
	| { readonly event: "proxy"; readonly data: ProxyView }
	| { readonly event: "sensor"; readonly data: DaemonStatus["sensor"] }
	| { readonly event: "fleet"; readonly data: NonNullable<DaemonStatus["fleet"]> }
	| { readonly event: "counts"; readonly data: Pick<DaemonStatus, "listeners" | "losses"> };

/** In the order in which they are to be taken in. */
export function changesBetween(before: DaemonStatus, now: DaemonStatus): StatusEvent[] {
	if (before === now) return [];
	if (!isDeepStrictEqual(frameOf(before), frameOf(now))) return [{ event: "status", data: now }];
	const changes: StatusEvent[] = [];
	if (!isDeepStrictEqual(before.sensor, now.sensor)) changes.push({ event: "sensor", data: now.sensor });
	changes.push(...backendChanges(before, now));
	now.proxies.forEach((proxy, i) => {
		if (!isDeepStrictEqual(proxy, before.proxies[i])) changes.push({ event: "proxy", data: proxy });
	});
	const { fleet } = now;
	if (fleet !== undefined && !isDeepStrictEqual(fleet, before.fleet)) changes.push({ event: "fleet", data: fleet });
	const { listeners, losses } = now;
	if (listeners !== before.listeners || !isDeepStrictEqual(losses, before.losses)) {
		changes.push({ event: "counts", data: { listeners, losses } });
	}
	return changes.length > MAX_CHANGES ? [{ event: "status", data: now }] : changes;
}

/** What must be the same for single events to make sense. */
const frameOf = ({ version, host, pid, config, services, holds, proxies, fleet }: DaemonStatus) => ({
	daemon: [version, host, pid, config],
	services: services.map(({ name }) => name),
	holds,
	proxies: proxies.map(({ name, type, mode }) => [name, type, mode]),
	hasFleet: fleet !== undefined,
});

function backendChanges(before: DaemonStatus, now: DaemonStatus): StatusEvent[] {
	return now.services.flatMap(({ name: service, backends }, i): StatusEvent[] => {
		const known = new Map(before.services[i]?.backends.map((backend) => [backend.id, backend]));
		const changed = backends.flatMap((backend): StatusEvent[] => {
			const was = known.get(backend.id);
			known.delete(backend.id);
			return was !== undefined && isSame(was, backend) ? [] : [{ event: "backend", data: { service, ...backend } }];
		});
		const gone = [...known.keys()].map((id): StatusEvent => ({ event: "backend-gone", data: { service, id } }));
		return [...gone, ...changed];
	});
}

/** There may be thousands, and nearly all are the same. */
const isSame = (a: BackendView, b: BackendView): boolean =>
	a === b ||
	(a.state === b.state &&
		a.held === b.held &&
		a.reason === b.reason &&
		a.since === b.since &&
		a.unfit === b.unfit &&
		a.host === b.host);
