/** What every registry must do, whatever it is made of; and hosts to try it with. */

import { expect, test } from "vitest";
import type { Offer, OfferedService, OfferKey } from "../src/fleet/offer.js";
import type { HostChange, HostInfo, Member, MemberOptions, RegistryState } from "../src/fleet/registry.js";
import { eventually } from "./host/eventually.js";
import { type Lifetime, lifetime } from "./host/lifetime.js";

/** A registry under test; `join` may be called for one name several times: each is a later daemon of that host. */
export interface RegistryUnderTest {
	join(options: MemberOptions): Promise<Member>;
	close(): Promise<void>;
}

/** What a member was told, folded. */
export interface Seen {
	readonly hosts: Map<string, { info: HostInfo; offers: Map<OfferKey, Offer> }>;
	readonly changes: HostChange[];
	readonly states: RegistryState[];
	completed: number;
}

export type JoinOptions = Partial<Pick<MemberOptions, "zone" | "lease" | "publish" | "subscribe" | "drainTimeout">>;

export interface Joined extends Seen {
	readonly member: Member;
	/** What it knows of a host's offers: port → weight. */
	offersOf(host: string): Record<string, number> | undefined;
}

/** Lease of hosts under test, in milliseconds: long enough that none ends within a test, unless it is meant to. */
export const LEASE_MS = 10_000;

export async function join(registry: RegistryUnderTest, host: string, options: JoinOptions = {}): Promise<Joined> {
	const seen: Seen = { hosts: new Map(), changes: [], states: [], completed: 0 };
	const member = await registry.join({
		host,
		zone: undefined,
		lease: LEASE_MS,
		publish: true,
		subscribe: true,
		...options,
		onChange(changes) {
			for (const change of changes) fold(seen, change);
		},
		onComplete() {
			seen.completed++;
		},
		onState: (state) => void seen.states.push(state),
		now: () => performance.now(),
	});
	const offersOf = (name: string) => {
		const offers = seen.hosts.get(name)?.offers;
		return offers && Object.fromEntries([...offers.values()].map(({ port, weight }) => [port, weight]).sort());
	};
	return Object.assign(seen, { member, offersOf });
}

function fold(seen: Seen, change: HostChange): void {
	seen.changes.push(change);
	if (change.kind === "over") {
		seen.hosts.delete(change.host);
		return;
	}
	const before = change.kind === "whole" ? undefined : seen.hosts.get(change.host.host)?.offers;
	const offers = new Map(before ?? (change.kind === "whole" ? change.offers : []));
	if (change.kind === "delta") {
		for (const [key, offer] of change.put) offers.set(key, offer);
		for (const key of change.taken.keys()) offers.delete(key);
	}
	seen.hosts.set(change.host.host, { info: change.host, offers });
}

/** An offer of web at 10.0.0.1 and a port. */
export const offerOf = (port: number, weight = 100): Offer => ({
	service: "web",
	address: "10.0.0.1",
	port,
	weight,
	identity: { comm: "web", hostname: "web-1", netnsInode: 0 },
});
const keyOf = (port: number): OfferKey => `web|10.0.0.1:${port}`;
export const put = (port: number, weight?: number) =>
	({ kind: "put", key: keyOf(port), offer: offerOf(port, weight) }) as const;
export const take = (port: number, why: "closed" | "withdrawn" = "closed") =>
	({ kind: "take", key: keyOf(port), why }) as const;

const isCurrent = ({ member }: Joined) => member.status().publishing.state === "current";
export const current = (...joined: readonly Joined[]) =>
	eventually("all is told", () => joined.every(isCurrent), { everyMs: 2 });
/** Resolves when one knows exactly these offers of a host. */
export const sees = (who: Joined, host: string, offers: Record<string, number> | undefined) =>
	eventually(
		`${JSON.stringify(offers)} of ${host} is seen`,
		() => JSON.stringify(who.offersOf(host)) === JSON.stringify(offers),
		{ everyMs: 2 },
	);

const CART: OfferedService = { name: "cart", mode: "http", hosts: ["cart.example.com"], drainTimeout: 50 };

/** @param open a registry with nothing in it */
export function registryContract(open: () => Promise<RegistryUnderTest>): void {
	const cases = (name: string, run: (registry: RegistryUnderTest, life: Lifetime) => Promise<void>) =>
		test(name, async () => {
			await using life = lifetime();
			const registry = life.own(await open());
			const joining: RegistryUnderTest = {
				join: async (options) => life.own(await registry.join(options)),
				close: () => registry.close(),
			};
			await run(joining, life);
		});

	cases("what one host offers is told to another, and how it went", async (registry) => {
		const a = await join(registry, "a", { zone: "north" });
		const b = await join(registry, "b");
		a.member.offer([put(80), put(81, 50)]);
		await sees(b, "a", { 80: 100, 81: 50 });
		expect(b.hosts.get("a")?.info).toMatchObject({ host: "a", zone: "north", lease: LEASE_MS, draining: false });
		expect(b.hosts.get("a")?.offers.get("web|10.0.0.1:80")).toEqual(offerOf(80));
		a.member.offer([take(80, "closed")]);
		await sees(b, "a", { 81: 50 });
		a.member.offer([take(81, "withdrawn"), put(82)]);
		await sees(b, "a", { 82: 100 });
		const taken = b.changes.flatMap((change) => (change.kind === "delta" ? [...change.taken] : []));
		expect(taken).toEqual([
			["web|10.0.0.1:80", "closed"],
			["web|10.0.0.1:81", "withdrawn"],
		]);
	});

	cases("who joins later is told all of what there is, and then that it is complete", async (registry) => {
		const a = await join(registry, "a");
		a.member.offer([put(80)]);
		a.member.settled();
		await current(a);
		const b = await join(registry, "b");
		await eventually("all was read", () => b.completed > 0);
		expect(b.offersOf("a")).toEqual({ 80: 100 });
		expect(b.changes[0]?.kind).toBe("whole");
	});

	cases("asked to look again, it says once more when that is done", async (registry) => {
		const b = await join(registry, "b");
		await eventually("all was read", () => b.completed === 1);
		b.member.lookAgain();
		await eventually("all was read again", () => b.completed === 2);
		b.member.lookAgain();
		await eventually("and once more", () => b.completed === 3);
	});

	cases("two hosts are told of each other, and none of itself", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		a.member.offer([put(80)]);
		b.member.offer([put(90)]);
		await sees(b, "a", { 80: 100 });
		await sees(a, "b", { 90: 100 });
		expect([...a.hosts.keys()]).toEqual(["b"]);
		expect([...b.hosts.keys()]).toEqual(["a"]);
		expect(a.member.status().hosts.map(({ host, state, offers }) => [host, state, offers])).toEqual([["b", "live", 1]]);
	});

	cases("many changes at once come to what they amount to", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		for (let round = 0; round < 20; round++) {
			a.member.offer([put(80, round), put(81), put(100 + round)]);
			a.member.offer([take(81), ...(round % 2 === 0 ? [take(100 + round)] : [])]);
		}
		const left = Array.from({ length: 10 }, (_, i): [number, number] => [101 + 2 * i, 100]);
		await sees(b, "a", { 80: 19, ...Object.fromEntries(left) });
		await current(a);
		expect(a.member.status().offers).toBe(11);
	});

	cases("services that exist by label are told", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		a.member.declare([CART]);
		await eventually("the service is seen", () => b.hosts.get("a")?.info.services.length === 1);
		expect(b.hosts.get("a")?.info.services).toEqual([CART]);
		a.member.declare([]);
		await eventually("it is gone", () => b.hosts.get("a")?.info.services.length === 0);
	});

	cases("a restart takes nothing from others, until it has settled", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		a.member.offer([put(80), put(81), put(82)]);
		a.member.settled();
		await sees(b, "a", { 80: 100, 81: 100, 82: 100 });
		await a.member.close();
		const again = await join(registry, "a");
		again.member.offer([put(80, 70)]);
		await sees(b, "a", { 80: 70, 81: 100, 82: 100 });
		again.member.offer([take(81)]);
		await sees(b, "a", { 80: 70, 82: 100 });
		again.member.settled();
		await sees(b, "a", { 80: 70 });
		expect(b.changes.some(({ kind }) => kind === "over")).toBe(false);
	});

	cases("a host that drains says so, also after a restart, and can take it back", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		a.member.offer([put(80)]);
		a.member.settled();
		expect(await a.member.drain(true)).toBeUndefined();
		await eventually("it drains", () => b.hosts.get("a")?.info.draining === true);
		expect(b.offersOf("a")).toEqual({ 80: 100 });
		expect(a.member.status().draining).toBe(true);
		// It crashed: nobody closes it.
		const again = await join(registry, "a");
		await eventually("it goes on draining", () => again.member.status().draining);
		await current(again);
		expect(b.hosts.get("a")?.info.draining).toBe(true);
		expect(await again.member.drain(false)).toBeUndefined();
		await eventually("it took it back", () => b.hosts.get("a")?.info.draining === false);
	});

	cases(
		"a host that drained is forgotten after its longest drainTimeout, and comes back when told",
		async (registry) => {
			const a = await join(registry, "a", { drainTimeout: () => 20 });
			const b = await join(registry, "b");
			a.member.declare([CART]);
			a.member.offer([put(80)]);
			// Who comes when it has left is not told of it at all.
			await sees(b, "a", { 80: 100 });
			expect(await a.member.drain(true)).toBeUndefined();
			await eventually("it is over", () => b.changes.find(({ kind }) => kind === "over"));
			expect(b.changes.find(({ kind }) => kind === "over")).toMatchObject({ host: "a", said: true });
			expect(b.hosts.has("a")).toBe(false);
			a.member.offer([put(81)]);
			expect(await a.member.drain(false)).toBeUndefined();
			await sees(b, "a", { 80: 100, 81: 100 });
		},
	);

	cases("told to drain twice, or closed while it drains, a host is forgotten at once", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		const c = await join(registry, "c");
		a.member.offer([put(80)]);
		c.member.offer([put(90)]);
		await sees(b, "a", { 80: 100 });
		await sees(b, "c", { 90: 100 });
		await a.member.drain(true);
		expect(await a.member.drain(true)).toBeUndefined();
		await eventually("a is over", () => !b.hosts.has("a"));
		await c.member.drain(true);
		await c.member.close();
		await eventually("c is over", () => !b.hosts.has("c"));
		expect(b.changes.flatMap((change) => (change.kind === "over" ? [change.said] : []))).toEqual([true, true]);
	});

	cases("whoever takes a goodbye back while it is on its way stays", async (registry) => {
		const a = await join(registry, "a");
		const b = await join(registry, "b");
		a.member.offer([put(80)]);
		await sees(b, "a", { 80: 100 });
		await a.member.drain(true);
		const goodbye = a.member.drain(true);
		expect(await a.member.drain(false)).toBeUndefined();
		await goodbye;
		a.member.offer([put(81)]);
		await sees(b, "a", { 80: 100, 81: 100 });
		expect(b.hosts.get("a")?.info.draining).toBe(false);
		expect(a.member.status().draining).toBe(false);
	});

	cases("of two daemons of one host the later one tells", async (registry) => {
		const first = await join(registry, "a");
		const b = await join(registry, "b");
		first.member.offer([put(80)]);
		first.member.settled();
		await sees(b, "a", { 80: 100 });
		const second = await join(registry, "a");
		second.member.offer([put(81)]);
		second.member.settled();
		await sees(b, "a", { 81: 100 });
		first.member.offer([put(82)]);
		await eventually("the first is refused", () => first.member.status().publishing.state === "refused");
		expect(b.offersOf("a")).toEqual({ 81: 100 });
		second.member.offer([put(83)]);
		await sees(b, "a", { 81: 100, 83: 100 });
	});

	cases("who only subscribes tells nothing, and who only publishes is told nothing", async (registry) => {
		const edge = await join(registry, "edge", { publish: false });
		const host = await join(registry, "host", { subscribe: false });
		edge.member.offer([put(80)]);
		host.member.offer([put(90)]);
		await sees(edge, "host", { 90: 100 });
		await current(host);
		expect(edge.member.status().publishing).toEqual({ state: "off" });
		expect(await edge.member.drain(true)).toContain("fleet.publish");
		const late = await join(registry, "late");
		await eventually("all was read", () => late.completed > 0);
		expect([...late.hosts.keys()]).toEqual(["host"]);
		expect([host.changes, host.completed]).toEqual([[], 0]);
	});
}
