/** An edge that follows hosts through a real Redis, for tests of what it is told. Knows nothing of what happens to them. */

import { afterEach, beforeEach } from "vitest";
import { keysOf } from "../../../src/fleet/redis/keys.js";
import { openPublisher, type Publisher } from "../../../src/fleet/redis/publisher.js";
import { openSubscriber } from "../../../src/fleet/redis/subscriber.js";
import type { RegistryState } from "../../../src/fleet/registry.js";
import { eventually } from "../../host/eventually.js";
import { createFolded } from "../../host/folded.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import { keyOf, offerOf } from "../../unit/fleet/redis/offers.js";

/** The shortest that the configuration allows. */
export const LEASE = 1000;
export const keys = keysOf("test");
export const now = () => performance.now();

/** Of the running test. */
export let server: RedisServer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
	server = await startRedis();
	closers.push(() => server.close());
});
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

const redisConfig = (url = server.url) => ({ url, sentinels: undefined, cluster: undefined, tls: false }) as const;

/** Closes it when the test ends. */
export function own<T extends { close(): unknown }>(closable: T): T {
	closers.push(() => closable.close());
	return closable;
}

/**
 * A host with its daemon, that offers some places.
 * @param url by which it reaches Redis
 */
export function startHost(
	host: string,
	places: Readonly<Record<number, number>>,
	url = server.url,
): Publisher & { stop(): Promise<void> } {
	const publisher = openPublisher({
		redis: redisConfig(url),
		keys,
		identity: { boot: `boot-${host}`, machine: `machine-${host}`, start: 1 },
		options: { host, zone: undefined, lease: LEASE, now },
		onState: () => {},
	});
	offer(publisher, places);
	publisher.settled();
	let isOpen = true;
	const stop = async () => {
		if (isOpen) await publisher.close();
		isOpen = false;
	};
	closers.push(stop);
	return { ...publisher, stop };
}

export const offer = (publisher: Publisher, places: Readonly<Record<number, number>>) =>
	publisher.offer(
		Object.entries(places).map(([place, weight]) => ({
			kind: "put",
			key: keyOf(Number(place)),
			offer: offerOf(Number(place), weight),
		})),
	);

/** An edge, and all that it was told. */
export function startEdge(maxStale?: number) {
	const folded = createFolded();
	const states: RegistryState[] = [];
	const completes: number[] = [];
	const lines: string[] = [];
	const subscriber = openSubscriber({
		redis: redisConfig(),
		keys,
		host: "edge-1",
		lease: LEASE,
		maxStale,
		onChange: folded.change,
		onComplete: (beganMs) => completes.push(beganMs),
		onState: (state) => states.push(state),
		onRejected: (line) => lines.push(line),
		now,
	});
	closers.push(() => subscriber.close());
	const state = () => states.at(-1);
	return {
		subscriber,
		folded,
		completes,
		lines,
		state,
		whys: () => states.flatMap((one) => (one.state === "frozen" ? [one.why] : [])),
		isUp: () => eventually("the edge is up", () => state()?.state === "up"),
		isFrozen: (why: RegExp) =>
			eventually(`frozen: ${why}`, () => {
				const last = state();
				if (last?.state !== "frozen" || !why.test(last.why)) throw new Error(`it is ${JSON.stringify(last)}`);
				return true;
			}),
		/** Waits for a look that began after this moment. */
		async looksAgain() {
			const at = await server.cli("ZSCORE", keys.edges, "edge-1");
			await eventually("another look", async () => (await server.cli("ZSCORE", keys.edges, "edge-1")) !== at);
		},
		/** Waits until it has these hosts, with the weight of each of their places. */
		has: (hosts: Readonly<Record<string, Readonly<Record<number, number>>>>) => {
			const wanted = JSON.stringify(
				Object.entries(hosts)
					.sort()
					.map(([host, places]) => [
						host,
						Object.entries(places).map(([place, weight]) => [keyOf(Number(place)), weight]),
					]),
			);
			return eventually(`the edge has ${wanted}`, () => {
				const real = JSON.stringify([...folded.hosts].sort().map(([host, places]) => [host, [...places].sort()]));
				if (real !== wanted) throw new Error(`it has ${real}`);
				return true;
			});
		},
	};
}
