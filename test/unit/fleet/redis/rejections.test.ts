import { expect, test } from "vitest";
import { createRejections } from "../../../../src/fleet/redis/rejections.js";

test("the first is told at once, and what follows in one line each ten seconds", () => {
	const lines: string[] = [];
	const rejections = createRejections((line) => lines.push(line));
	for (let i = 0; i < 100_000; i++) rejections.reject(`host h${i}`, "it is no JSON", i / 1000);
	expect(lines).toEqual(["left out what is in the registry: host h0: it is no JSON"]);
	rejections.tick(9999);
	expect(lines).toHaveLength(1);
	rejections.tick(10_000);
	rejections.tick(30_000);
	expect(lines.slice(1)).toEqual([
		"left out what is in the registry: host h99999: it is no JSON (and 99998 more since the last such line)",
	]);
	expect(rejections.count).toBe(100_000);
});

test("the same word on the same place counts once, another word again", () => {
	const rejections = createRejections(() => {});
	for (let i = 0; i < 10; i++) rejections.reject("host h1", "it is no JSON", i);
	rejections.reject("host h1", "it has 3 bytes", 11);
	expect(rejections.count).toBe(2);
	expect(rejections.last).toBe("host h1: it has 3 bytes");
});

test("nothing of a name reaches a terminal but printable ASCII, and not much of it", () => {
	const rejections = createRejections(() => {});
	rejections.reject(`host \u001b[31m\nü${"x".repeat(1e6)}`, "it is no name", 0);
	expect(rejections.last).toMatch(/^host \?\[31m\?\?x+…: it is no name$/);
	expect(rejections.last?.length).toBeLessThan(200);
});
