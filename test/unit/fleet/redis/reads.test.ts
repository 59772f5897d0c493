import { expect, test } from "vitest";
import { createReads } from "../../../../src/fleet/redis/reads.js";

/** Reads that are answered by hand, and what came of them. */
function setup() {
	const asked: { hosts: readonly string[]; answer: () => void; fail: () => void }[] = [];
	const events: string[] = [];
	const reads = createReads<string, number>({
		ask: (hosts) =>
			new Promise((resolve, reject) => {
				asked.push({
					hosts,
					answer: () => resolve(hosts.map((host) => `${host}!`)),
					fail: () => reject(new Error("no")),
				});
			}),
		onRead(lot) {
			for (const { host, found, held } of lot) events.push(`${host} ${found} ${held.join(",")}`.trim());
		},
		onIdle: () => events.push("idle"),
		onTrouble: () => events.push("trouble"),
	});
	const settle = async () => {
		for (let i = 0; i < 20; i++) await Promise.resolve();
	};
	return { reads, asked, events, settle };
}

test("who is wanted twice at once is read once, and entries of it are held until then", async () => {
	const { reads, asked, events, settle } = setup();
	reads.want(["a"]);
	reads.want(["a", "b"]);
	expect(reads.hold("a", 1)).toBe(true);
	expect(reads.hold("c", 1)).toBe(false);
	await settle();
	expect(asked.map(({ hosts }) => hosts)).toEqual([["a", "b"]]);
	expect(reads.hold("a", 2)).toBe(true);
	asked[0]?.answer();
	await settle();
	expect(events).toEqual(["a a! 1,2", "b b!", "idle"]);
	expect(reads.isIdle).toBe(true);
	expect(reads.hold("a", 3)).toBe(false);
});

test("who is wanted while it is being read is read again, and goes on holding", async () => {
	const { reads, asked, events, settle } = setup();
	reads.want(["a"]);
	await settle();
	reads.want(["a"]);
	reads.hold("a", 1);
	asked[0]?.answer();
	await settle();
	expect(reads.hold("a", 2)).toBe(true);
	asked[1]?.answer();
	await settle();
	expect(events).toEqual(["a a! 1", "a a! 2", "idle"]);
});

test("a host with too many entries meanwhile is read again", async () => {
	const { reads, asked, settle } = setup();
	reads.want(["a"]);
	await settle();
	for (let i = 0; i < 1000; i++) expect(reads.hold("a", i)).toBe(true);
	asked[0]?.answer();
	await settle();
	expect(asked).toHaveLength(2);
});

test("many are read in lots, the next one on its way while one is worked on", async () => {
	const { reads, asked, events, settle } = setup();
	const all = Array.from({ length: 45 }, (_, at) => `h${at}`);
	reads.want(all);
	await settle();
	expect(asked).toHaveLength(1);
	asked[0]?.answer();
	await settle();
	expect(asked).toHaveLength(2);
	expect(events).toHaveLength(20);
	asked[1]?.answer();
	await settle();
	asked[2]?.answer();
	await settle();
	expect(asked.flatMap(({ hosts }) => hosts)).toEqual(all);
	expect(events.at(-1)).toBe("idle");
});

test("a lot that fails ends all of it, and what was dropped is not told", async () => {
	const { reads, asked, events, settle } = setup();
	reads.want(["a"]);
	await settle();
	asked[0]?.fail();
	await settle();
	expect(events).toEqual(["trouble"]);
	expect(reads.hold("a", 1)).toBe(false);

	reads.want(["b"]);
	await settle();
	reads.drop();
	reads.want(["c"]);
	await settle();
	asked[1]?.answer();
	asked[2]?.answer();
	await settle();
	expect(events).toEqual(["trouble", "c c!", "idle"]);
});
