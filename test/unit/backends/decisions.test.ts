import fc from "fast-check";
import { expect, test } from "vitest";
import type { Decisions } from "../../../src/backends/decisions.js";
import { createJudge } from "../../../src/backends/judge.js";
import { configSchema } from "../../../src/config/schema.js";
import type { Resolved } from "../../../src/identity/resolver.js";
import { UNKNOWN_ROUTES } from "../../../src/identity/routes.js";
import { endpointKey, netnsKey } from "../../../src/listeners/ids.js";
import type { Endpoint } from "../../../src/listeners/table.js";
import { listenerOf } from "../listeners/listener.js";

const judge = createJudge(
	configSchema.parse({
		services: {
			web: { match: { port: 80 } },
			api: { match: { port: [80, 81], hostname: "api-*" } },
			db: { match: { port: 82, comm: "postgres" } },
		},
	}),
);

function decide(port: number, address: string, hostname: string, ipv4: string[]) {
	const netns = netnsKey("7");
	const sockets: Endpoint["sockets"] = [listenerOf(1, 10, { netns, address, port, hostname })];
	const resolved: Resolved = {
		identity: { comm: "nginx", hostname, netnsInode: 7 },
		addresses: { state: "known", ipv4, ipv6: [] },
		isHost: false,
	};
	const endpoint = { key: endpointKey(netns, address, port), netns, address, port, sockets };
	const decisions: Decisions = { rules: [], labels: [], misfits: [], refused: [] };
	const routesOf = () => UNKNOWN_ROUTES;
	return {
		...judge(endpoint, resolved, { routesOf, decisions }),
		decisions,
		plain: judge(endpoint, resolved, { routesOf }),
	};
}

test("each rule says whether it matches, and which key fails and why", () => {
	expect(decide(80, "0.0.0.0", "web-1", ["10.0.0.2"]).decisions).toEqual({
		rules: [
			{ service: "web", matched: true },
			{ service: "api", matched: false, pending: false, key: "hostname", why: "hostname web-1 does not match api-*" },
			{ service: "db", matched: false, pending: false, key: "port", why: "port 80 is not in 82" },
		],
		labels: [],
		misfits: [],
		refused: [],
	});
});

test("a service that can't reach it says why, and whether that may change", () => {
	expect(decide(80, "127.0.0.1", "api-1", []).decisions.refused).toEqual(
		["web", "api"].map((service) => ({
			service,
			pending: false,
			why: "it is bound to 127.0.0.1, which only its own network namespace reaches",
		})),
	);
	expect(decide(80, "0.0.0.0", "web-1", []).decisions.refused).toMatchObject([{ service: "web", pending: true }]);
});

test("what is written down is what is decided, and changes nothing", () => {
	const port = fc.integer({ min: 79, max: 83 });
	const address = fc.constantFrom("0.0.0.0", "127.0.0.1", "10.0.0.2");
	const hostname = fc.constantFrom("api-1", "web-1");
	fc.assert(
		fc.property(port, address, hostname, fc.constantFrom<string[]>([], ["10.0.0.2"]), (...listening) => {
			const { decisions, plain, ...judgement } = decide(...listening);
			const { backends, isUnmatched } = judgement;
			expect(judgement).toEqual(plain);
			const matched = decisions.rules.filter((rule) => rule.matched).map(({ service }) => service);
			const decided = [...backends, ...decisions.refused].map(({ service }) => service);
			expect(decided.sort()).toEqual(matched.sort());
			expect(isUnmatched === true).toBe(matched.length === 0);
		}),
	);
});
