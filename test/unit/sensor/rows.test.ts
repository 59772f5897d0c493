import { describe, expect, test } from "vitest";
import { RECORD_FIELDS, RECORD_SIZE } from "../../../src/sensor/record.js";
import { createRowDecoder } from "../../../src/sensor/rows.js";

/** A row as the kernel has it. */
function row(cookie: bigint, port: number, kind = 1): Buffer {
	const bytes = Buffer.alloc(RECORD_SIZE);
	bytes.writeUInt8(3, RECORD_FIELDS.version[0]);
	bytes.writeUInt8(kind, RECORD_FIELDS.kind[0]);
	bytes.writeUInt8(2, RECORD_FIELDS.family[0]);
	bytes.writeUInt16LE(port, RECORD_FIELDS.port[0]);
	bytes.writeBigUInt64LE(cookie, RECORD_FIELDS.cookie[0]);
	return bytes;
}

const decoder = () => {
	const decode = createRowDecoder(RECORD_SIZE);
	return (rows: readonly Buffer[]) => decode(Buffer.concat(rows));
};

describe("rows of the kernel's table", () => {
	test("that have not changed are the same values as at the read before", () => {
		const decode = decoder();
		const first = decode([row(1n, 80), row(2n, 443)]);
		const second = decode([row(2n, 443), row(1n, 80)]);
		expect(first.map(({ port }) => port)).toEqual([80, 443]);
		expect(second[0]).toBe(first[1]);
		expect(second[1]).toBe(first[0]);
	});

	test("that have come, gone and changed leave the others as they were", () => {
		const decode = decoder();
		const first = decode([row(1n, 80), row(2n, 81), row(3n, 82), row(4n, 83)]);
		const second = decode([row(9n, 90), row(1n, 80), row(3n, 8082), row(4n, 83)]);
		expect(second.map(({ port }) => port)).toEqual([90, 80, 8082, 83]);
		expect(second[1]).toBe(first[0]);
		expect(second[3]).toBe(first[3]);
	});

	test("are the same all together where none is another", () => {
		const decode = decoder();
		expect(decode([row(1n, 80), row(2n, 81)])).toBe(decode([row(1n, 80), row(2n, 81)]));
	});

	test("are decoded anew when any byte is another", () => {
		const decode = decoder();
		decode([row(1n, 0)]);
		expect(decode([row(1n, 8080)])).toMatchObject([{ port: 8080 }]);
	});

	test("are told apart by the whole cookie", () => {
		const decode = decoder();
		const [first] = decode([row(1n, 80)]);
		const [second] = decode([row(1n + 2n ** 60n, 80)]);
		expect([first?.socket, second?.socket]).toEqual(["1", String(1n + 2n ** 60n)]);
	});

	test("that are gone for one read are forgotten", () => {
		const decode = decoder();
		const [first] = decode([row(1n, 80)]);
		expect(decode([])).toEqual([]);
		const [again] = decode([row(1n, 80)]);
		expect(again).toEqual(first);
		expect(again).not.toBe(first);
	});

	test("that are no listener's are left out, at every read", () => {
		const decode = decoder();
		const other = row(1n, 80, 3);
		expect(decode([other, Buffer.from(other), row(2n, 80)])).toHaveLength(1);
		expect(decode([other, row(2n, 80)])).toHaveLength(1);
	});
});
