import { describe, expect, test } from "vitest";
import { declarationsOf } from "../../../../src/backends/labels/declarations.js";
import { container, declared } from "./container.js";

const ALL = ["virtual-host", "traefik", "registrator"] as const;

/** A container of which every source says something. */
const everywhere = {
	labels: {
		"solisten.service": "own",
		"traefik.http.routers.t.rule": "Host(`t.example`)",
		"traefik.http.services.t.loadbalancer.server.port": "81",
	},
	env: { VIRTUAL_HOST: "v.example", SERVICE_NAME: "r" },
	exposed: [80],
};

const sources = (labels: boolean, ...conventions: (typeof ALL)[number][]) =>
	declarationsOf(container(everywhere), { labels, conventions }).declarations.map(({ source }) => source);

describe("a container", () => {
	test("declares by what is switched on, and by nothing else", () => {
		expect(sources(true)).toEqual(["solisten"]);
		expect(sources(false)).toEqual([]);
		expect(sources(false, "traefik")).toEqual(["traefik"]);
		expect(sources(true, "registrator", "virtual-host")).toEqual(["solisten", "virtual-host", "registrator"]);
		expect(sources(true, ...ALL)).toEqual(["solisten", "virtual-host", "traefik", "registrator"]);
	});

	test("that is switched off declares nothing, whoever says it", () => {
		const off = { ...everywhere, labels: { ...everywhere.labels, "solisten.enable": "0" } };
		expect(declared(off, ...ALL)).toEqual({ declarations: [], problems: [] });
		expect(declarationsOf(container(off), { labels: false, conventions: [...ALL] }).declarations).toEqual([]);
	});

	test("is not asked whether it is switched off where nobody asks what it declares", () => {
		const odd = container({ labels: { "solisten.enable": "maybe" } });
		expect(declarationsOf(odd, { labels: false, conventions: [] })).toEqual({ declarations: [], problems: [] });
	});

	test("declares a service by its own labels alone, where they name it", () => {
		const said = { labels: { "solisten.service": "web", "solisten.port": "80" }, env: { SERVICE_81_NAME: "web" } };
		expect(declared(said, "registrator").declarations).toEqual([{ service: "web", port: 80 }]);
	});

	test("declares the same service and port once, by whoever comes first", () => {
		const labels = { "traefik.http.routers.web.rule": "Host(`a.example`)" };
		const said = { labels, env: { SERVICE_80_NAME: "web", SERVICE_81_NAME: "web" }, exposed: [80] };
		expect(declared(said, "traefik", "registrator").declarations).toEqual([
			{ service: "web", port: 80, hosts: ["a.example"] },
			{ service: "web", port: 81 },
		]);
	});

	test("declares 32 services at most", () => {
		const labels = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`solisten.s${at}.port`, "80"]));
		const { declarations, problems } = declared({ labels });
		expect(declarations).toHaveLength(32);
		expect(problems).toEqual(["declares 40 services and ports, 32 at most count"]);
	});

	test("has eight problems at most, the rest of them counted", () => {
		const odd = (count: number) =>
			Object.fromEntries(Array.from({ length: count }, (_, at) => [`solisten.x${at}`, ""]));
		expect(declared({ labels: odd(8) }).problems).toHaveLength(8);
		const { problems } = declared({ labels: odd(10_000) });
		expect(problems).toHaveLength(8);
		expect(problems.at(-1)).toBe("9993 more problems of this kind");
	});
});
