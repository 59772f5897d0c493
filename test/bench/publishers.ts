/**
 * The publishing halves of many hosts in one process, as a host's daemon has it: each with a connection and a lease of its
 * own. What other daemons read is theirs; nothing listens anywhere.
 *
 *	node --import tsx publishers.ts URL HOSTS BACKENDS SERVICES LEASE_MS
 *
 * Says `ready MILLISECONDS` when Redis has all of it; then, for each line on its standard input:
 *
 *	change PER_SECOND SECONDS   → changed COUNT   one backend of some host closes or listens again, at a steady pace
 *
 * Ends with its standard input.
 */

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { Offer } from "../../src/fleet/offer.js";
import { keysOf } from "../../src/fleet/redis/keys.js";
import { openPublisher, type Publisher } from "../../src/fleet/redis/publisher.js";

const [url = "", ...numbers] = process.argv.slice(2);
const [HOSTS = 0, BACKENDS = 0, SERVICES = 1, LEASE_MS = 10_000] = numbers.map(Number);
/** Connections are opened by so many at a time, as a fleet that starts does not. */
const AT_ONCE = 200;
const TICK_MS = 5;

interface Host {
	readonly publisher: Publisher;
	readonly offers: readonly Offer[];
}

const keys = keysOf("default");
const keyOf = ({ service, address, port }: Offer) => `${service}|${address}:${port}`;
const now = () => performance.now();

function offersOf(host: number): Offer[] {
	const address = `10.${100 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`;
	return Array.from({ length: BACKENDS }, (_, index) => ({
		service: `service-${(host * BACKENDS + index) % SERVICES}`,
		address,
		port: 8000 + index,
		weight: 100,
		identity: {
			comm: "node",
			hostname: `web-${host}-${index}`,
			container: (host * BACKENDS + index).toString(16).padStart(64, "0"),
			containerName: `shop-web-${index}`,
			image: "registry.example.org/shop/web:1.42.0",
			netnsInode: 0 as const,
		},
	}));
}

function open(host: number): Host {
	const publisher = openPublisher({
		redis: { url },
		keys,
		identity: { boot: `boot-${host}`, machine: `machine-${host}`, start: 1 },
		options: { host: `host-${host}`, zone: undefined, lease: LEASE_MS, now },
		onState: (state) => {
			if (state.state === "frozen" && hasBegun) process.stderr.write(`host-${host}: ${state.why}\n`);
		},
	});
	const offers = offersOf(host);
	publisher.offer(offers.map((offer) => ({ kind: "put", key: keyOf(offer), offer })));
	publisher.settled();
	return { publisher, offers };
}

/** Backends that closed, the oldest first; so many at most. */
const absent: { readonly publisher: Publisher; readonly offer: Offer }[] = [];
const MOST_ABSENT = 50;

function comeBack(): void {
	const back = absent.shift();
	back?.publisher.offer([{ kind: "put", key: keyOf(back.offer), offer: back.offer }]);
}

function close(hosts: readonly Host[]): void {
	const host = hosts[Math.floor(Math.random() * hosts.length)];
	const offer = host?.offers[Math.floor(Math.random() * BACKENDS)];
	if (host === undefined || offer === undefined || absent.some((one) => one.offer === offer)) return;
	absent.push({ publisher: host.publisher, offer });
	host.publisher.offer([{ kind: "take", key: keyOf(offer), why: "closed" }]);
}

/** In the end all are there. */
async function changes(hosts: readonly Host[], perSecond: number, seconds: number): Promise<number> {
	const beganMs = now();
	const wanted = perSecond * seconds;
	let made = 0;
	while (made < wanted) {
		const due = Math.min(wanted, Math.floor(((now() - beganMs) / 1000) * perSecond));
		for (; made < due; made++) {
			if (absent.length >= MOST_ABSENT || wanted - made <= absent.length + 1) comeBack();
			else close(hosts);
		}
		await pause(TICK_MS);
	}
	return made;
}

let hasBegun = false;
const startedMs = now();
const hosts: Host[] = [];
const isTold = ({ publisher }: Host) => publisher.status().publishing.state === "current";
for (let first = 0; first < HOSTS; first += AT_ONCE) {
	const some = Array.from({ length: Math.min(AT_ONCE, HOSTS - first) }, (_, index) => open(first + index));
	hosts.push(...some);
	while (!some.every(isTold)) await pause(TICK_MS);
}
hasBegun = true;
process.stdout.write(`ready ${(now() - startedMs).toFixed(0)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
	const [, perSecond, seconds] = line.split(" ").map(Number);
	process.stdout.write(`changed ${await changes(hosts, perSecond ?? 0, seconds ?? 0)}\n`);
}
process.exit();
