import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import type { DesiredSet } from "../../../src/backends/backend.js";
import { renderProxy } from "../../../src/proxies/open.js";
import { backend, PACKAGED, proxyConfig, service } from "../../desired.js";

/** Something of everything. */
const DESIRED: DesiredSet = [
	service("any", [], { hosts: ["*.example.org", "*-x.example.org"], balance: "leastconn" }),
	service("db", [backend("db", "10.0.0.9", 5432)], { mode: "tcp", options: { entryPoints: ["postgres"] } }),
	service("hidden", [], { mode: "tcp" }),
	service("rest", [
		backend("rest", "10.0.0.1"),
		backend("rest", "10.0.0.2", 80, { state: "drain", weight: 7 }),
		backend("rest", "10.0.0.3", 80, { state: "down" }),
		backend("rest", "10.0.0.4", 80, { weight: 0 }),
		backend("rest", "fd00::1", 8080, { state: "closing" }),
	]),
	service("www", [backend("www", "10.0.0.5")], { hosts: ["example.org", "www.example.org"] }),
];

const render = (template: string, desired: DesiredSet, options: object = {}) =>
	renderProxy(proxyConfig({ type: "file", template, options }), "h", PACKAGED, desired);

describe("the endpoints for Envoy", () => {
	/** What of envoy.service.discovery.v3.DiscoveryResponse is used, with the fields and bounds of Envoy's API. */
	const response = z.strictObject({
		resources: z.array(
			z.strictObject({
				"@type": z.literal("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"),
				cluster_name: z.string().min(1),
				endpoints: z.array(
					z.strictObject({
						lb_endpoints: z.array(
							z.strictObject({
								endpoint: z.strictObject({
									address: z.strictObject({
										socket_address: z.strictObject({
											address: z.union([z.ipv4(), z.ipv6()]),
											port_value: z.int().min(0).max(65_535),
										}),
									}),
								}),
								health_status: z.enum(["UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"]),
								load_balancing_weight: z.int().min(1),
							}),
						),
					}),
				),
			}),
		),
	});

	const endpoints = async (desired: DesiredSet) =>
		Object.fromEntries(
			response
				.parse(JSON.parse(await render("envoy-eds.json.hbs", desired)))
				.resources.map(({ cluster_name, endpoints: [locality] }) => [
					cluster_name,
					locality?.lb_endpoints.map(({ endpoint, health_status, load_balancing_weight }) => {
						const { address, port_value } = endpoint.address.socket_address;
						return `${address} ${port_value} ${health_status} ${load_balancing_weight}`;
					}),
				]),
		);

	test("have each service as a cluster, with health and weight of its backends", async () => {
		expect(await endpoints(DESIRED)).toEqual({
			any: [],
			db: ["10.0.0.9 5432 HEALTHY 100"],
			hidden: [],
			rest: [
				"10.0.0.1 80 HEALTHY 100",
				"10.0.0.2 80 DRAINING 7",
				"10.0.0.3 80 UNHEALTHY 100",
				"10.0.0.4 80 DRAINING 1",
				"fd00::1 8080 HEALTHY 100",
			],
			www: ["10.0.0.5 80 HEALTHY 100"],
		});
	});

	test("are none without services", async () => {
		expect(await endpoints([])).toEqual({});
	});
});

describe("the routing for Traefik", () => {
	const router = {
		rule: z.string().regex(/^(Host|HostRegexp|PathPrefix|HostSNI)\(`[^`]+`\)$/),
		service: z.string().regex(/^[^@]+$/),
		entryPoints: z.array(z.string()).optional(),
	};
	const loadBalancer = <T extends z.ZodType>(server: T) =>
		z.record(z.string(), z.strictObject({ loadBalancer: z.strictObject({ servers: z.array(server) }) }));
	/** A section must not be there and empty: Traefik refuses the file. */
	const filled = <T extends z.ZodRecord>(record: T) => record.refine((value) => Object.keys(value).length > 0);
	/** What of the file provider's format is used; other keys would be refused by Traefik. */
	const routing = z.strictObject({
		http: z
			.strictObject({
				routers: filled(z.record(z.string(), z.strictObject({ ...router, priority: z.int().min(1) }))),
				services: filled(loadBalancer(z.strictObject({ url: z.url() }))),
			})
			.optional(),
		tcp: z
			.strictObject({
				routers: filled(z.record(z.string(), z.strictObject({ ...router, entryPoints: z.array(z.string()).min(1) }))),
				services: filled(loadBalancer(z.strictObject({ address: z.string().regex(/^.+:\d+$/) }))),
			})
			.optional(),
	});

	const routed = async (desired: DesiredSet, options: object = {}) =>
		routing.parse(parse(await render("traefik.yml.hbs", desired, options)) ?? {});

	test("has hosts before wildcards before all else, and servers that take new requests", async () => {
		const { http, tcp } = await routed(DESIRED, { entryPoints: "web" });
		const entryPoints = ["web"];
		expect(http?.routers).toEqual({
			"any/*.example.org": { rule: "HostRegexp(`^.+\\.example\\.org$`)", priority: 2, service: "any", entryPoints },
			"any/*-x.example.org": { rule: "HostRegexp(`^.+-x\\.example\\.org$`)", priority: 2, service: "any", entryPoints },
			"www/example.org": { rule: "Host(`example.org`)", priority: 3, service: "www", entryPoints },
			"www/www.example.org": { rule: "Host(`www.example.org`)", priority: 3, service: "www", entryPoints },
			rest: { rule: "PathPrefix(`/`)", priority: 1, service: "rest", entryPoints },
		});
		const servers = (...urls: string[]) => ({ loadBalancer: { servers: urls.map((url) => ({ url })) } });
		expect(http?.services).toEqual({
			any: servers(),
			rest: servers("http://10.0.0.1:80", "http://[fd00::1]:8080"),
			www: servers("http://10.0.0.5:80"),
		});
		expect(tcp).toEqual({
			routers: { db: { rule: "HostSNI(`*`)", service: "db", entryPoints: ["postgres"] } },
			services: { db: { loadBalancer: { servers: [{ address: "10.0.0.9:5432" }] } } },
		});
	});

	test("names services that are there", async () => {
		const { http } = await routed(DESIRED);
		const named = Object.values(http?.routers ?? {}).map(({ service: name }) => name);
		expect(named.filter((name) => !Object.hasOwn(http?.services ?? {}, name))).toEqual([]);
	});

	test("has no empty section", async () => {
		expect(await routed([service("hidden", [], { mode: "tcp" })])).toEqual({});
		expect(Object.keys(await routed([service("web", [])]))).toEqual(["http"]);
		expect(await routed([])).toEqual({});
	});
});
