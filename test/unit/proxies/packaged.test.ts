import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.js";
import { templateContext } from "../../../src/proxies/context.js";
import { parseDeclared } from "../../../src/proxies/haproxy/declared.js";
import { renderProxy, tryTemplate } from "../../../src/proxies/open.js";
import { loadTemplate } from "../../../src/proxies/render.js";
import { backend, PACKAGED, proxyConfig, service } from "../../desired.js";

const dropIn = await loadTemplate("haproxy-backends.cfg.hbs", PACKAGED);

describe("the drop-in for HAProxy", () => {
	test("has one backend for each service, also for an empty one", async () => {
		const desired = [
			service("db", [], { mode: "tcp", balance: "leastconn" }),
			service("web", [backend("web", "10.0.0.1"), backend("web", "fd00::1", 8080, { weight: 7, state: "closing" })], {
				options: { serverOptions: "maxconn 9", backendLines: ["option forwardfor", "timeout server 5s"] },
			}),
		];
		expect(await renderProxy(proxyConfig({ slots: { min: 2 } }), "h", PACKAGED, desired)).toBe(`\
# Backends, written by solistend for proxy edge. What you change here is overwritten.

backend db
	mode tcp
	balance leastconn
	retries 3
	option redispatch
	server s1 127.0.0.1:1 weight 100 disabled
	server s2 127.0.0.1:1 weight 100 disabled

backend web
	mode http
	balance roundrobin
	retries 3
	option redispatch
	retry-on conn-failure
	option forwardfor
	timeout server 5s
	server s1 10.0.0.1:80 weight 100 maxconn 9
	server s2 [fd00::1]:8080 weight 7 maxconn 9
	server s3 127.0.0.1:1 weight 100 maxconn 9 disabled
	server s4 127.0.0.1:1 weight 100 maxconn 9 disabled
`);
	});

	test("does not change with what a container calls itself", () => {
		const name = fc.string({ unit: "binary", maxLength: 20 });
		const plain = dropIn.render(templateContext(proxyConfig(), "h", [service("web", [backend("web", "10.0.0.1")])]));
		fc.assert(
			fc.property(name, name, name, name, (comm, hostname, unit, netnsName) => {
				const identity = { comm, hostname, unit, netnsName, netnsInode: 1 };
				const desired = [service("web", [backend("web", "10.0.0.1", 80, { identity })])];
				expect(dropIn.render(templateContext(proxyConfig(), "h", desired))).toBe(plain);
			}),
		);
	});
});

describe("the whole file for HAProxy", () => {
	test("routes hosts, then wildcards, then everything else to the first service without hosts", async () => {
		const desired = [
			service("any", [], { hosts: ["*.example.org"] }),
			service("db", [], { mode: "tcp", options: { bind: [":5432"] } }),
			service("hidden", [], { mode: "tcp" }),
			service("other", []),
			service("rest", []),
			service("www", [], { hosts: ["example.org", "www.example.org"] }),
		];
		const proxy = proxyConfig({
			template: "haproxy.cfg.hbs",
			runtimeSocket: "/run/h.sock",
			options: { bind: [":80", ":8080"], user: "haproxy", group: "haproxy" },
		});
		const text = await renderProxy(proxy, "h", PACKAGED, desired);
		expect(text.slice(0, text.indexOf("\n# Backends"))).toBe(`\
# Written by solistend for proxy edge. What you change here is overwritten.
global
	user haproxy
	group haproxy
	stats socket /run/h.sock mode 660 level admin group haproxy

defaults
	timeout connect 1s
	timeout client 30s
	timeout server 30s
	timeout http-request 10s
	timeout tunnel 1h

frontend http
	mode http
	bind :80
	bind :8080
	use_backend www if { req.hdr(host),host_only -i example.org }
	use_backend www if { req.hdr(host),host_only -i www.example.org }
	use_backend any if { req.hdr(host),host_only -i -m end .example.org }
	default_backend other

frontend tcp:db
	mode tcp
	bind :5432
	default_backend db
`);
		expect([...parseDeclared(text).backends.keys()]).toEqual(["any", "db", "hidden", "other", "rest", "www"]);
	});

	test("needs no option", async () => {
		const text = await renderProxy(proxyConfig({ template: "haproxy.cfg.hbs" }), "h", PACKAGED, [service("web", [])]);
		expect(text).toContain("bind 127.0.0.1:8080\n");
		expect(text).not.toContain("stats socket");
	});
});

test.each(["haproxy.cfg.hbs", "haproxy-backends.cfg.hbs"])(
	"%s renders for made-up backends and for none",
	async (template) => {
		const { services } = configSchema.parse({
			services: { db: { match: { port: 5432 }, mode: "tcp" }, web: { match: { port: 80 } } },
		});
		await tryTemplate(proxyConfig({ template }), "h", PACKAGED, services);
		await tryTemplate(proxyConfig({ template }), "h", PACKAGED, {});
	},
);
