/** From what a member of a fleet says of itself to what the daemon answers: names, and times as people read them. Pure. */

import type { FleetView, HostView, PublishingView, RegistryView } from "./admin/fleet-view.js";
import type { HostStatus, Member, MemberStatus, RegistryState } from "./fleet/registry.js";
import type { Fleet } from "./fleet-link.js";

/** This host among the others, as far as it is shown and told. */
export interface ShownFleet extends Omit<Fleet, "member"> {
	readonly member: Pick<Member, "status" | "drain">;
}

/** @param toIso of a time of the member's clock */
export function fleetView({ cluster, host, zone, member }: ShownFleet, toIso: (ms: number) => string): FleetView {
	const { draining, offers, rejected, lastRejected, wholeReads, gaps, ...status } = member.status();
	return {
		cluster,
		host,
		...(zone !== undefined && { zone }),
		registry: registryView(status.registry, toIso),
		publishing: publishingView(status.publishing, toIso),
		draining,
		offers,
		hosts: status.hosts.map(hostView).toSorted((a, b) => (a.host < b.host ? -1 : 1)),
		rejected,
		...(lastRejected !== undefined && { lastRejected }),
		wholeReads,
		gaps,
		publishMs: status.publishMs.map(rounded),
	};
}

function registryView(state: RegistryState, toIso: (ms: number) => string): RegistryView {
	if (state.state === "up") return state;
	return { state: state.state, since: toIso(state.sinceMs), why: state.why };
}

function publishingView(publishing: MemberStatus["publishing"], toIso: (ms: number) => string): PublishingView {
	if (publishing.state !== "behind") return publishing;
	return { state: publishing.state, since: toIso(publishing.sinceMs), why: publishing.why };
}

function hostView({ host, zone, state, version, incarnation, sequence, ...rest }: HostStatus): HostView {
	return {
		host,
		...(zone !== undefined && { zone }),
		state,
		version,
		incarnation,
		sequence,
		backends: rest.offers,
		leaseMs: rest.lease,
		...(rest.leaseLeftMs !== undefined && { leaseLeftMs: Math.round(rest.leaseLeftMs) }),
		...(rest.lagMs !== undefined && { lagMs: rounded(rest.lagMs) }),
	};
}

/** To tenths of a millisecond. */
const rounded = (ms: number) => Math.round(ms * 10) / 10;
