import { describe, expect, test } from "vitest";
import { serviceNameOf } from "../../../../src/backends/labels/service-name.js";
import { declared, type Said, type Short } from "./container.js";

const CASES: [string, Said, Short[]][] = [
	["nothing where nothing is said", { exposed: [80] }, []],
	["nothing while the environment is not known", { env: null, labels: { SERVICE_NAME: "web" } }, []],
	[
		"a name at the port that is exposed",
		{ env: { SERVICE_NAME: "web" }, exposed: [80] },
		[{ service: "web", port: 80 }],
	],
	["a name by label", { labels: { SERVICE_NAME: "web" }, exposed: [80] }, [{ service: "web", port: 80 }]],
	[
		"the label's where both are there",
		{ env: { SERVICE_NAME: "a" }, labels: { SERVICE_NAME: "b" }, exposed: [80] },
		[{ service: "b", port: 80 }],
	],
	["a name without a port", { env: { SERVICE_NAME: "web" } }, [{ service: "web" }]],
	[
		"several ports as a group",
		{ env: { SERVICE_NAME: "web" }, exposed: [80, 443] },
		[
			{ service: "web-80", port: 80 },
			{ service: "web-443", port: 443 },
		],
	],
	[
		"a port's own name",
		{ env: { SERVICE_NAME: "web", SERVICE_443_NAME: "tls" }, exposed: [80, 443] },
		[
			{ service: "web-80", port: 80 },
			{ service: "tls", port: 443 },
		],
	],
	["a name of a port that is not exposed", { env: { SERVICE_8080_NAME: "api" } }, [{ service: "api", port: 8080 }]],
	[
		"only the ports that have a name",
		{ env: { SERVICE_80_NAME: "web" }, exposed: [80, 443] },
		[{ service: "web", port: 80 }],
	],
	[
		"nothing where it is ignored, by any word",
		{ env: { SERVICE_NAME: "web", SERVICE_IGNORE: "false" }, exposed: [80] },
		[],
	],
	[
		"all ports but one",
		{ env: { SERVICE_NAME: "web", SERVICE_443_IGNORE: "1" }, exposed: [80, 443] },
		[{ service: "web-80", port: 80 }],
	],
	[
		"no tags and checks",
		{ env: { SERVICE_NAME: "web", SERVICE_TAGS: "a,b", SERVICE_CHECK_HTTP: "/x" }, exposed: [80] },
		[{ service: "web", port: 80 }],
	],
	["no tags alone", { env: { SERVICE_TAGS: "a" }, exposed: [80] }, []],
	["no name of a port that is none", { env: { SERVICE_0_NAME: "a", SERVICE_99999_NAME: "b" } }, []],
	[
		"a name that had to be rewritten",
		{ env: { SERVICE_NAME: "my web" }, exposed: [80] },
		[{ service: serviceNameOf("my web"), port: 80 }],
	],
];

describe("SERVICE_NAME", () => {
	test.each(CASES)("declares %s", (_what, said, declarations) => {
		expect(declared(said, "registrator")).toEqual({ declarations, problems: [] });
	});
});
