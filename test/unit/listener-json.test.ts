import { expect, test } from "vitest";
import { whoIs } from "../../src/listener-json.js";

const identity = { comm: "nginx", hostname: "web-1", netnsInode: 4026532177 };
const container = "3f2a9c0d41b6f7e8a5c3d2e1f09876543210abcdef0123456789abcdef012345";

test.each([
	[{}, "web-1"],
	[{ unit: "nginx.service" }, "nginx.service"],
	[{ unit: "nginx.service", machine: "web-1" }, "web-1"],
	[{ unit: "nginx.service", machine: "shop" }, "shop web-1"],
	[{ unit: "nginx.service", machine: "shop", container }, "3f2a9c0d41b6 web-1"],
])("what is known as %j is called %s", (known, name) => {
	expect(whoIs({ ...identity, ...known })).toBe(name);
});
