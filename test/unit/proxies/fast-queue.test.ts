import { expect, test } from "vitest";
import { createTurns } from "../../../src/proxies/fast-queue.js";

test("who asks for a turn within one has it after that one's end", async () => {
	const inTurn = createTurns();
	const order: string[] = [];
	let inner: Promise<void> | undefined;

	await inTurn(async () => {
		inner = inTurn(async () => void order.push("inner"));
		await Promise.resolve();
		order.push("outer");
	});
	await inner;

	expect(order).toEqual(["outer", "inner"]);
});

test("a turn that fails ends, and the next one begins at once", async () => {
	const inTurn = createTurns();
	const failing = inTurn(() => Promise.reject(new Error("no")));
	const next = inTurn(async () => "next");

	await expect(failing).rejects.toThrow("no");
	expect(await next).toBe("next");

	let hasBegun = false;
	const last = inTurn(async () => {
		hasBegun = true;
	});
	expect(hasBegun).toBe(true);
	await last;
});
