import { expect, test } from "vitest";
import { aimOf } from "../../../../src/proxies/haproxy/aim.js";
import { slotContext } from "../../../../src/proxies/haproxy/rendering.js";
import { backend } from "../../../desired.js";

test("a backup has weight 0, at run time and in the file, and its own again once it is none", () => {
	const other = backend("web", "10.0.1.1", 80, { weight: 7, local: false });
	const backup = { ...other, backup: true };
	expect(aimOf(backup, "")).toMatchObject({ weight: 0, state: "ready" });
	expect(slotContext({ name: "s1", backend: backup }, 100)).toMatchObject({ weight: 0, state: "ready" });
	expect(aimOf(other, "").weight).toBe(7);
	expect(slotContext({ name: "s1", backend: other }, 100).weight).toBe(7);
});
