import { expect, test } from "vitest";
import { createKeeper } from "../../src/keeper.js";

test("of what changes while it writes the last alone is written, and whoever waits is told of that", async () => {
	const written: number[] = [];
	const problems: string[] = [];
	const keeper = createKeeper<number>(
		async (value) => {
			await Promise.resolve();
			written.push(value);
			return value === 99 ? "no space" : undefined;
		},
		(reason) => problems.push(reason),
	);
	keeper.keep(0);
	const first = keeper.kept();
	await Promise.resolve();
	for (let value = 1; value < 100; value++) keeper.keep(value);
	expect(await first).toBeUndefined();
	expect(await keeper.kept()).toBe("no space");
	expect(written).toEqual([0, 99]);
	expect(problems).toEqual(["no space"]);
	keeper.keep(100);
	expect(await keeper.kept()).toBeUndefined();
	expect(written).toEqual([0, 99, 100]);
});
