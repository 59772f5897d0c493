import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeRecord, RECORD_FIELDS, RECORD_SIZE } from "../../../src/sensor/record.js";

/** A valid record, with some fields set. */
function recordOf(
	fields: Partial<Record<keyof typeof RECORD_FIELDS, number | bigint | readonly number[] | string>>,
): Buffer {
	const bytes = Buffer.alloc(RECORD_SIZE);
	for (const [name, value] of Object.entries({ version: 1, kind: 1, family: 2, ...fields })) {
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
				pidNamespace: 0,
				comm: "nginx",
				hostname: "web-7d4",
				cgroupId: "77",
				atNs: 1_234_567,
			},
		});
	});

	test.each([
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "::"],
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"],
		[[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a], "fd00::a"],
		[[0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8:0:1::1"],
		[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1], "::ffff:10.0.0.1"],
	])("bound to the bytes %j has the address %s", (addr, text) => {
		expect(decodeRecord(recordOf({ family: 10, addr }))?.listener.address).toBe(text);
	});

	test("with a name that fills its field has all of it", () => {
		expect(decodeRecord(recordOf({ comm: "x".repeat(16) }))?.listener.comm).toBe("x".repeat(16));
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
				if (plausible && bytes.length >= 3) bytes.set([1, 1, 10]);
				expect(() => decodeRecord(bytes)).not.toThrow();
			}),
		);
	});
});
