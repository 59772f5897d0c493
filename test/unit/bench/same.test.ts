import { describe, expect, it } from "vitest";
import { differenceOf, namespacesOf } from "../../bench/rig/same.js";

const socket = (netnsInode: number, port: number) => ({ netnsInode, port });

describe("a table beside the kernel's", () => {
	const truth = new Set(["7:80", "7:81", "8:80"]);
	const namespaces = namespacesOf(truth);

	it("is the same when it has every listener, and no other", () => {
		const sockets = [socket(7, 80), socket(8, 80), socket(7, 81)];
		expect(differenceOf(sockets, truth, namespaces)).toEqual({ missing: 0, stale: 0 });
	});

	it("lacks what the kernel has, and has what is gone", () => {
		const sockets = [socket(7, 80), socket(8, 80), socket(8, 81)];
		expect(differenceOf(sockets, truth, namespaces)).toEqual({ missing: 1, stale: 1 });
	});

	it("is not asked for other namespaces", () => {
		const sockets = [socket(7, 80), socket(8, 80), socket(7, 81), socket(9, 80)];
		expect(differenceOf(sockets, truth, namespaces)).toEqual({ missing: 0, stale: 0 });
	});

	it("counts a listener twice that it has twice, where one is stale", () => {
		const sockets = [socket(7, 80), socket(8, 80), socket(7, 81), socket(8, 90), socket(8, 90)];
		expect(differenceOf(sockets, truth, namespaces).stale).toBe(2);
	});
});
