import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DesiredService } from "../../../src/backends/backend.js";
import { templateContext } from "../../../src/proxies/context.js";
import { backend, proxyConfig, service, web } from "../../desired.js";

describe("what a template sees", () => {
	test("has every value, known or not", () => {
		const slot = { name: "s1", address: "10.0.0.1", port: 80, weight: 100, state: "ready" } as const;
		expect(templateContext(proxyConfig(), "edge-1", web("10.0.0.1"), new Map([["web", [slot]]]))).toEqual({
			host: "edge-1",
			proxy: { name: "edge", type: "haproxy", runtimeSocket: "", fallbackChecks: false, pidFile: "", options: {} },
			services: [
				{
					name: "web",
					mode: "http",
					balance: "roundrobin",
					hosts: [],
					isDefault: true,
					options: {},
					backends: [
						{
							id: "10.0.0.1:80",
							address: "10.0.0.1",
							port: 80,
							weight: 100,
							state: "ready",
							backup: false,
							host: "h",
							zone: "",
							local: true,
							comm: "nginx",
							hostname: "web-1",
							unit: "",
							container: "",
							containerName: "",
							image: "",
							netns: "",
						},
					],
					slots: [slot],
				},
			],
		});
	});

	test("has only the services that the proxy serves", () => {
		const desired = [service("api", []), service("db", []), service("web", [])];
		const names = (settings: object) =>
			templateContext(proxyConfig({ ...settings }), "h", desired).services.map(({ name }) => name);
		expect(names({})).toEqual(["api", "db", "web"]);
		expect(names({ services: ["web", "api"] })).toEqual(["api", "web"]);
	});

	test("has one default: a service of the configuration, else the first by label", () => {
		const byDefault = (...services: Partial<DesiredService>[]) =>
			templateContext(
				proxyConfig(),
				"h",
				services.map((rest) => service(rest.name ?? "", [], rest)),
			)
				.services.filter(({ isDefault }) => isDefault)
				.map(({ name }) => name);
		expect(
			byDefault({ name: "a", order: 2 }, { name: "b", order: 1 }, { name: "c", hosts: ["c.example.org"] }),
		).toEqual(["b"]);
		expect(byDefault({ name: "a", order: 1 }, { name: "b", mode: "tcp" }, { name: "y" }, { name: "z" })).toEqual(["y"]);
		expect(byDefault({ name: "a", hosts: ["a.example.org"] })).toEqual([]);
	});

	test("holds no character with a meaning, whatever a container calls itself", () => {
		const name = fc.string({ unit: "binary", maxLength: 20 });
		const texts = {
			comm: name,
			hostname: name,
			unit: name,
			container: name,
			containerName: name,
			image: name,
			netnsName: name,
		};
		fc.assert(
			fc.property(fc.record(texts), (raw) => {
				const identity = { ...raw, netnsInode: 1 };
				const desired = [service("web", [backend("web", "10.0.0.1", 80, { identity })])];
				const [seen] = templateContext(proxyConfig(), "h", desired).services[0]?.backends ?? [];
				const { comm, hostname, unit, container, containerName, image, netns } = seen ?? {};
				for (const value of [comm, hostname, unit, container, containerName, image, netns]) {
					expect(value).toMatch(/^[A-Za-z0-9_.:@/-]*$/);
				}
			}),
		);
	});
});
