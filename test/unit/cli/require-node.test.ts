import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { requireNode } from "../../../src/cli/require-node.js";

const NODE = "/usr/bin/node";

test("a Node that is new enough is taken, and an older one is refused with its place and the mend", async () => {
	for (const version of ["20.19.0", "20.20.2", "22.0.0", "100.1.0"])
		expect(() => requireNode(version, NODE)).not.toThrow();
	for (const version of ["18.20.4", "20.18.3", "9.99.0"]) {
		const words = `cannot run on Node ${version}, which is /usr/bin/node (install Node 20.19 or newer`;
		expect(() => requireNode(version, NODE)).toThrow(words);
	}
});

test("what package.json asks for is what is refused below", async () => {
	const { engines } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
	const oldest = String(engines.node).replace(">=", "");
	expect(() => requireNode(`${oldest}.0`, NODE)).not.toThrow();
	const [major, minor] = oldest.split(".").map(Number);
	expect(() => requireNode(`${major}.${Number(minor) - 1}.9`, NODE)).toThrow(`install Node ${oldest} or newer`);
});
