import { execa } from "execa";
import { expect, test } from "vitest";
import { PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { LOSSES_SIZE, RECORD_FIELDS, RECORD_SIZE, ROW_SIZE } from "../../src/sensor/record.js";

interface BtfType {
	readonly kind: string;
	readonly name: string;
	readonly size?: number;
	readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
}

/** A structure of the compiled object, as its own BTF describes it. */
async function structOf(name: string): Promise<BtfType> {
	const { stdout } = await execa("bpftool", ["--json", "btf", "dump", "file", PACKAGED_OBJECT]);
	const { types }: { types: BtfType[] } = JSON.parse(stdout);
	const found = types.find((type) => type.kind === "STRUCT" && type.name === name);
	if (found === undefined) throw new Error(`the object has no struct ${name}`);
	return found;
}

test("the decoder's fields are those of struct record, at the same offsets, with nothing in between", async () => {
	const { size, members = [] } = await structOf("record");
	expect(size).toBe(RECORD_SIZE);
	expect(members.map(({ name, bits_offset }) => [name, bits_offset / 8])).toEqual(
		Object.entries(RECORD_FIELDS).map(([name, [offset]]) => [name, offset]),
	);
	const ends = Object.values(RECORD_FIELDS).map(([offset, bytes]) => offset + bytes);
	expect(ends).toEqual([...Object.values(RECORD_FIELDS).map(([offset]) => offset), RECORD_SIZE].slice(1));
});

test("the loss counters are as long as struct losses", async () => {
	const { size, members = [] } = await structOf("losses");
	expect(size).toBe(LOSSES_SIZE);
	expect(members.map(({ name }) => name)).toEqual(["ring_full", "table_full", "limited"]);
});

test("a row of the table begins with a record, and is as long as struct row", async () => {
	const { size, members = [] } = await structOf("row");
	expect(size).toBe(ROW_SIZE);
	expect(members[0]).toMatchObject({ name: "rec", bits_offset: 0 });
});
