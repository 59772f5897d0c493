/** Which stage between a host's kernel and the edge's HAProxy is the first that has a place otherwise than it is. Pure. */

import type { BackendView, DaemonStatus } from "../../../src/admin/view.js";

/** What a host has in Redis. */
export interface Told {
	/** `incarnation:sequence`; empty where it has none. */
	readonly version: string;
	/** As `address:port`. */
	readonly places: readonly string[];
}

/** What each has, at about one moment; undefined: it does not answer, or is not there. */
export interface Stages {
	/** Of the daemon on the host that the place belongs to. */
	readonly host: DaemonStatus | undefined;
	readonly redis: Told | undefined;
	readonly edge: DaemonStatus | undefined;
}

/** @param listens whether somebody listens at the place, `address:port`; HAProxy says the opposite */
export function stageOf(name: string, place: string, listens: boolean, { host, redis, edge }: Stages): string {
	const port = place.slice(place.lastIndexOf(":"));
	const own = backendsOf(host).find((backend) => backend.id.endsWith(port) && backend.host === undefined);
	// one that is dead has nobody listen, and Redis keeps what it told
	const isDead = host === undefined && !listens;
	if (host === undefined && listens) return `${name}'s daemon: it does not answer`;
	if (host !== undefined && (own?.state === "ready") !== listens) {
		return `${name}'s daemon, whose sensor is ${host.sensor.state}: ${wordsOf(own)}`;
	}
	if (redis === undefined) return "Redis: it does not answer";
	const version = redis.version || "nothing";
	if (!isDead && redis.places.includes(place) !== listens) {
		return `${name}'s publisher, which is ${host?.fleet?.publishing.state}: Redis is at ${version}`;
	}
	if (edge === undefined) return "the edge's daemon: it does not answer";
	const member = edge.fleet?.hosts.find((one) => one.host === name);
	const known = member === undefined ? "nothing" : `${member.incarnation}:${member.sequence}`;
	if (isDead ? member !== undefined : known !== version) {
		return `the edge's member, whose registry is ${edge.fleet?.registry.state}: it is at ${known}, and Redis at ${version}`;
	}
	const there = backendsOf(edge).find(({ id }) => id === place);
	if ((there?.state === "ready") !== listens) {
		return `the edge's pools, whose sensor is ${edge.sensor.state}: ${wordsOf(there)}`;
	}
	const [proxy] = edge.proxies;
	return `the edge's proxy, which is ${proxy?.state}: it took something last at ${proxy?.lastApplied?.at ?? "no time"}`;
}

const wordsOf = (backend: BackendView | undefined) =>
	backend === undefined ? "it is in no pool" : `${backend.state}: ${backend.reason}`;

const backendsOf = (status: DaemonStatus | undefined) => status?.services.flatMap(({ backends }) => backends) ?? [];
