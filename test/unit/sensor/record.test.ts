import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	decodeFullQueues,
	decodeRecord,
	FULL_QUEUE_SIZE,
	RECORD_FIELDS,
	RECORD_SIZE,
} from "../../../src/sensor/record.js";

/** A valid record, with some fields set. */
function recordOf(
	fields: Partial<Record<keyof typeof RECORD_FIELDS, number | bigint | readonly number[] | string>>,
): Buffer {
	const bytes = Buffer.alloc(RECORD_SIZE);
	for (const [name, value] of Object.entries({ version: 3, kind: 1, family: 2, ...fields })) {
		const [offset, size] = RECORD_FIELDS[name as keyof typeof RECORD_FIELDS];
		if (typeof value === "string") bytes.write(value, offset, size);
		else if (typeof value === "bigint") bytes.writeBigUInt64LE(value, offset);
		else if (typeof value === "number") bytes.writeUIntLE(value, offset, Math.min(size, 6));
		else bytes.set(value, offset);
	}
	return bytes;
}

describe("a record", () => {
	test("becomes an event with every field", () => {
		const event = decodeRecord(
			recordOf({
				kind: 2,
				port: 8080,
				protocol: 262,
				backlog: 511,
				pid: 4711,
				netns: 4_026_532_177,
				task_netns: 4_026_531_840,
				pidns: 4_026_532_200,
				at_ns: 1_234_567n,
				cookie: 18_446_744_073_709_551_615n,
				netns_cookie: 4196n,
				cgroup: 77n,
				addr: [10, 0, 1, 2],
				comm: "nginx",
				hostname: "web-7d4",
			}),
		);
		expect(event).toEqual({
			kind: "close",
			listener: {
				socket: "18446744073709551615",
				netns: "4196",
				netnsInode: 4_026_532_177,
				taskNetnsInode: 4_026_531_840,
				family: "ipv4",
				address: "10.0.1.2",
				port: 8080,
				ipv6Only: false,
				protocol: "mptcp",
				backlog: 511,
				pid: 4711,
				comm: "nginx",
				hostname: "web-7d4",
				pidNamespace: 4_026_532_200,
				cgroupId: "77",
				atNs: 1_234_567,
			},
		});
	});

	test("of a stop signal becomes an event of a process, without a socket", () => {
		const bytes = recordOf({
			kind: 3,
			family: 0,
			pid: 4711,
			pidns: 4_026_532_200,
			signal: 15,
			is_init: 1,
			comm: "nginx",
			at_ns: 99n,
		});
		expect(decodeRecord(bytes)).toEqual({
			kind: "stopping",
			signal: 15,
			pid: 4711,
			pidNamespace: 4_026_532_200,
			isInit: true,
			comm: "nginx",
			atNs: 99,
		});
	});

	test("of a second listen() has the socket with its new backlog", () => {
		expect(decodeRecord(recordOf({ kind: 6, backlog: 7, cookie: 5n }))).toMatchObject({
			kind: "relisten",
			listener: { socket: "5", backlog: 7 },
		});
	});

	test.each([
		["paused", 4],
		["resumed", 5],
	])("of %s tells whom, and by what", (kind, code) => {
		const common = { kind: code, family: 0, pid: 4711, cgroup: 77n, at_ns: 99n };
		expect(decodeRecord(recordOf({ ...common, paused: 1 }))).toEqual({
			kind,
			whom: { by: "freezer", cgroupId: "77" },
			atNs: 99,
		});
		expect(decodeRecord(recordOf({ ...common, paused: 2 }))).toEqual({
			kind,
			whom: { by: "signal", pid: 4711 },
			atNs: 99,
		});
		expect(decodeRecord(recordOf({ ...common, paused: 0 }))).toBeUndefined();
	});

	test("of a namespace that is limited names it", () => {
		const bytes = recordOf({ kind: 7, netns: 4_026_532_177, netns_cookie: 4196n, at_ns: 99n });
		expect(decodeRecord(bytes)).toEqual({ kind: "limited", netns: "4196", netnsInode: 4_026_532_177, atNs: 99 });
	});

	test("of a row says who keeps its process from running", () => {
		expect(decodeRecord(recordOf({ paused: 1 }))).toMatchObject({ listener: { paused: "freezer" } });
		expect(decodeRecord(recordOf({ paused: 2 }))).toMatchObject({ listener: { paused: "signal" } });
		expect(decodeRecord(recordOf({ paused: 0 }))).not.toHaveProperty("listener.paused");
	});

	test.each([
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "::"],
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"],
		[[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a], "fd00::a"],
		[[0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8:0:1::1"],
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1], "::ffff:10.0.0.1"],
	])("bound to the bytes %j has the address %s", (addr, text) => {
		expect(decodeRecord(recordOf({ family: 10, addr }))).toMatchObject({ listener: { address: text } });
	});

	test("with a name that fills its field has all of it", () => {
		expect(decodeRecord(recordOf({ comm: "x".repeat(16) }))).toMatchObject({ listener: { comm: "x".repeat(16) } });
	});

	test.each([
		["of another version", recordOf({ version: 2 })],
		["of an unknown kind", recordOf({ kind: 99 })],
		["of an unknown family", recordOf({ family: 1 })],
		["that is short", recordOf({}).subarray(0, RECORD_SIZE - 1)],
		["that is empty", Buffer.alloc(0)],
	])("%s is refused", (_what, bytes) => {
		expect(decodeRecord(bytes)).toBeUndefined();
	});

	test("of random bytes never throws", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (random, plausible) => {
				const bytes = Buffer.from(random);
				if (plausible && bytes.length >= 3) bytes.set([3, 1 + (bytes.length % 7), 10]);
				expect(() => decodeRecord(bytes)).not.toThrow();
			}),
		);
	});
});

describe("what is written of full accept queues", () => {
	const queue = (cookie: bigint, head: bigint, queued: number) => {
		const bytes = Buffer.alloc(FULL_QUEUE_SIZE);
		bytes.writeBigUInt64LE(cookie, 0);
		bytes.writeBigUInt64LE(head, 8);
		bytes.writeUInt32LE(queued, 16);
		return bytes;
	};

	test("becomes one entry each, whose token is the same as long as the head is, and is not the kernel's address", () => {
		const bytes = Buffer.concat([queue(5n, 0xffff_8880_0123_4500n, 17), queue(6n, 1n, 2)]);
		const [first, second] = decodeFullQueues(bytes, 0x1234n);
		expect(first).toMatchObject({ socket: "5", queued: 17 });
		expect(second).toMatchObject({ socket: "6", queued: 2 });
		expect(first?.head).toMatch(/^\d+$/);
		expect(first?.head).not.toBe(0xffff_8880_0123_4500n.toString());
		expect(decodeFullQueues(bytes, 0x1234n)[0]?.head).toBe(first?.head);
		expect(second?.head).not.toBe(first?.head);
	});

	test("is nothing where nothing was written, and what is cut off counts for nothing", () => {
		expect(decodeFullQueues(Buffer.alloc(0), 0n)).toEqual([]);
		expect(decodeFullQueues(queue(5n, 1n, 1).subarray(0, FULL_QUEUE_SIZE - 1), 0n)).toEqual([]);
	});
});
