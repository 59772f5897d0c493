/**
 * Endpoints by their network namespace and by their container, and what follows from that for others: who is to be looked
 * at again when something happens to one. Bookkeeping beside the verdicts; decides nothing.
 */

import { createGrouped } from "./grouped.js";
import type { Resolver } from "./identity/resolver.js";
import { isLoopback, parseIp } from "./ip.js";
import type { EndpointKey, NetnsKey } from "./listeners/ids.js";
import type { Endpoint } from "./listeners/table.js";
import { createLowest } from "./lowest.js";

export interface EndpointIndex {
	/** Puts one in, or what is known of it now in place of what was. */
	file(endpoint: Endpoint, container: string | undefined, isWanted: boolean): void;
	/** Puts in what is known of one now that is where it was. */
	renew(endpoint: Endpoint): void;
	drop(key: EndpointKey): void;
	/** Those of a container, by its full id. */
	ofContainer(id: string): Endpoint[];
	/** Those in the network namespaces of containers, by their full ids: what happens to one happens to all in there. */
	besides(containers: Iterable<string>): Endpoint[];
	/**
	 * Those to be looked at again, since the addresses of their namespace changed, or those of another that has them, too; or
	 * since the lowest port of their container is another one.
	 */
	disturbed(): Endpoint[];
	/** The lowest port that a container listens on for others; undefined when there is none. */
	lowestPort(container: string): number | undefined;
	clear(): void;
}

interface Filed {
	readonly endpoint: Endpoint;
	readonly container: string | undefined;
}

/** @param resolver is told which namespaces matter, and which ones nobody listens in any more */
export function createIndex(resolver: Pick<Resolver, "want" | "forget" | "disturbed">): EndpointIndex {
	const filed = new Map<EndpointKey, Filed>();
	const byNetns = createGrouped<NetnsKey, EndpointKey>();
	const byContainer = createGrouped<string, EndpointKey>();
	/** By container and port: one that opens thousands of ports is not walked through for each of them. */
	const byPort = createGrouped<string, EndpointKey>();
	/** Those that a service wants. */
	const wanted = createGrouped<NetnsKey, EndpointKey>();
	const lowest = createLowest();

	const endpointsOf = (keys: Iterable<EndpointKey>): Endpoint[] =>
		[...keys].flatMap((key) => filed.get(key)?.endpoint ?? []);
	const inNetns = (netnses: readonly NetnsKey[]): Endpoint[] =>
		[...new Set(netnses)].flatMap((netns) => endpointsOf(byNetns.of(netns)));
	const ofContainer = (id: string) => endpointsOf(byContainer.of(id));

	const leave = ({ endpoint, container }: Filed) => {
		if (container === undefined) return;
		byContainer.delete(container, endpoint.key);
		byPort.delete(`${container} ${endpoint.port}`, endpoint.key);
		if (isOpen(endpoint)) lowest.delete(container, endpoint.port);
	};
	const enter = ({ endpoint, container }: Filed) => {
		if (container === undefined) return;
		byContainer.add(container, endpoint.key);
		byPort.add(`${container} ${endpoint.port}`, endpoint.key);
		if (isOpen(endpoint)) lowest.add(container, endpoint.port);
	};

	return {
		file(endpoint, container, isWanted) {
			const { key, netns } = endpoint;
			const before = filed.get(key);
			const now = { endpoint, container };
			filed.set(key, now);
			byNetns.add(netns, key);
			if (before === undefined || before.container !== container) {
				if (before !== undefined) leave(before);
				enter(now);
			}
			if (isWanted) wanted.add(netns, key);
			resolver.want(netns, isWanted || wanted.delete(netns, key));
		},
		renew(endpoint) {
			const before = filed.get(endpoint.key);
			if (before !== undefined) filed.set(endpoint.key, { ...before, endpoint });
		},
		drop(key) {
			const before = filed.get(key);
			if (before === undefined) return;
			const { netns } = before.endpoint;
			filed.delete(key);
			leave(before);
			resolver.want(netns, wanted.delete(netns, key));
			if (!byNetns.delete(netns, key)) resolver.forget(netns);
		},
		ofContainer,
		besides: (containers) => inNetns([...containers].flatMap(ofContainer).map(({ netns }) => netns)),
		disturbed: () => [
			...inNetns(resolver.disturbed()),
			...lowest
				.changed()
				.flatMap(({ container, ports }) => ports.flatMap((port) => endpointsOf(byPort.of(`${container} ${port}`)))),
		],
		lowestPort: lowest.of,
		clear() {
			filed.clear();
			byNetns.clear();
			byContainer.clear();
			byPort.clear();
			wanted.clear();
			lowest.clear();
		},
	};
}

/** Whether others than its own namespace may reach it. */
function isOpen({ address }: Endpoint): boolean {
	const ip = parseIp(address);
	return ip === undefined || !isLoopback(ip);
}
