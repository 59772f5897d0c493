import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { templateContext } from "../../../src/proxies/context.js";
import { renderProxy } from "../../../src/proxies/open.js";
import { loadTemplate } from "../../../src/proxies/render.js";
import { backend, PACKAGED, proxyConfig, service } from "../../desired.js";

const nginx = (settings: Record<string, unknown> = {}) => proxyConfig({ type: "nginx", ...settings });

describe("the drop-in for Nginx", () => {
	test("has one upstream for each service, also for an empty one", async () => {
		const desired = [
			service("db", [], { mode: "tcp", balance: "leastconn" }),
			service("web", [backend("web", "10.0.0.1"), backend("web", "fd00::1", 8080, { weight: 7, state: "closing" })], {
				options: { maxconn: 9, keepalive: 16, serverOptions: "slow", upstreamLines: ["zone web 64k;"] },
			}),
		];
		expect(await renderProxy(nginx(), "h", PACKAGED, desired)).toBe(`\
# Upstreams, written by solistend for proxy edge. What you change here is overwritten.

upstream db {
	least_conn;
	server 127.0.0.1:9 down;
}

upstream web {
	zone web 64k;
	server 10.0.0.1:80 weight=100 max_fails=0 max_conns=9 slow;
	server [fd00::1]:8080 weight=7 max_fails=0 max_conns=9 slow;
	keepalive 16;
}
`);
	});

	test("leaves out who takes nothing new, and counts as empty without the others", async () => {
		const out = [
			backend("web", "10.0.0.1", 80, { state: "drain" }),
			backend("web", "10.0.0.2", 80, { state: "down" }),
			backend("web", "10.0.0.3", 80, { weight: 0 }),
		];
		const text = await renderProxy(nginx(), "h", PACKAGED, [
			service("all", out),
			service("web", [...out, backend("web", "10.0.0.4")]),
		]);
		expect(text).toContain("upstream all {\n\tserver 127.0.0.1:9 down;\n}");
		expect(text).toContain("upstream web {\n\tserver 10.0.0.4:80 weight=100 max_fails=0;\n}");
	});

	test.each([
		["roundrobin", "backup"],
		["leastconn", "backup"],
		["ip_hash", "down"],
		["uri", "down"],
	])("has a backup with %s as %s", async (balance, word) => {
		const backends = [backend("web", "10.0.0.1"), backend("web", "10.0.1.1", 80, { backup: true, local: false })];
		const text = await renderProxy(nginx(), "h", PACKAGED, [service("web", backends, { balance })]);
		expect(text).toContain(`\tserver 10.0.0.1:80 weight=100 max_fails=0;\n`);
		expect(text).toContain(`\tserver 10.0.1.1:80 weight=100 max_fails=0 ${word};\n`);
		expect(text).not.toContain("127.0.0.1:9");
	});

	test("answers for empty http services where it is told to", async () => {
		const proxy = nginx({ options: { unavailable: "127.0.0.1:1503" } });
		const text = await renderProxy(proxy, "h", PACKAGED, [service("db", [], { mode: "tcp" }), service("web", [])]);
		expect(text).toContain("server {\n\tlisten 127.0.0.1:1503;\n\taccess_log off;\n\treturn 503;\n}");
		expect(text).toContain("upstream db {\n\tserver 127.0.0.1:9 down;\n}");
		expect(text).toContain("upstream web {\n\tserver 127.0.0.1:1503;\n}");
		expect(await renderProxy(proxy, "h", PACKAGED, [service("db", [], { mode: "tcp" })])).not.toContain("\tlisten ");
	});

	test.each([
		["roundrobin", ""],
		["leastconn", "\tleast_conn;\n"],
		["source", "\thash $remote_addr consistent;\n"],
		["uri", "\thash $request_uri consistent;\n"],
		["random", "\trandom;\n"],
		["ip_hash", "\tip_hash;\n"],
	])("balances by %s", async (balance, line) => {
		const text = await renderProxy(nginx(), "h", PACKAGED, [service("web", [], { balance })]);
		expect(text).toContain(`upstream web {\n${line}\tserver`);
	});
});

test.each(["nginx-upstreams.conf.hbs", "nginx.conf.hbs", "envoy-eds.json.hbs", "traefik.yml.hbs", "Caddyfile.hbs"])(
	"%s does not change with what a container calls itself",
	async (name) => {
		const template = await loadTemplate(name, PACKAGED);
		const text = fc.string({ unit: "binary", maxLength: 20 });
		const render = (identity: object) =>
			template.render(
				templateContext(nginx(), "h", [
					service("web", [
						backend("web", "10.0.0.1", 80, {
							identity: { comm: "nginx", hostname: "web-1", netnsInode: 1, ...identity },
						}),
					]),
				]),
			);
		const plain = render({});
		fc.assert(
			fc.property(text, text, text, text, text, (comm, hostname, unit, container, netnsName) => {
				expect(render({ comm, hostname, unit, container, netnsName })).toBe(plain);
			}),
		);
	},
);

describe("the whole file for Nginx", () => {
	test("needs no option, and is small without services", async () => {
		const proxy = nginx({ template: "nginx.conf.hbs" });
		expect(await renderProxy(proxy, "h", PACKAGED, [])).toBe(`\
# Written by solistend for proxy edge. What you change here is overwritten.
worker_processes auto;
worker_shutdown_timeout 30s;

events {
	worker_connections 4096;
}
`);
	});

	test("has a stream block only for tcp services with a port", async () => {
		const proxy = nginx({ template: "nginx.conf.hbs" });
		const db = (options = {}) => service("db", [backend("db", "10.0.0.1", 5432)], { mode: "tcp", options });
		expect(await renderProxy(proxy, "h", PACKAGED, [db(), service("web", [])])).not.toContain("\nstream {");
		const text = await renderProxy(proxy, "h", PACKAGED, [db({ bind: [":5432", "[::]:5432"] }), service("web", [])]);
		expect(text.slice(text.indexOf("stream {"))).toBe(`\
stream {

	server {
		listen :5432;
		listen [::]:5432;
		proxy_connect_timeout 1s;
		proxy_pass db;
	}

# Upstreams, written by solistend for proxy edge. What you change here is overwritten.

upstream db {
	server 10.0.0.1:5432 weight=100 max_fails=0;
}
}
`);
	});

	test("routes hosts and wildcards, and all else to the first service without hosts", async () => {
		const proxy = nginx({
			template: "nginx.conf.hbs",
			pidFile: "/run/nginx.pid",
			options: { bind: ["80", "[::]:80"], user: "www-data", mainLines: "pcre_jit on;", httpLines: ["gzip on;"] },
		});
		const text = await renderProxy(proxy, "h", PACKAGED, [
			service("any", [backend("any", "10.0.0.1")], { hosts: ["*.example.org", "*-x.example.org"] }),
			service("other", [backend("other", "10.0.0.2")]),
			service("rest", []),
			service("www", [], { hosts: ["www.example.org"] }),
		]);
		expect(text).toContain("user www-data;\npid /run/nginx.pid;\n");
		expect(text).toContain("worker_shutdown_timeout 30s;\npcre_jit on;\n");
		const servers = text.slice(text.indexOf("\tgzip on;"), text.indexOf("\n# Upstreams"));
		expect(servers).toBe(`\
	gzip on;

	server {
		listen 80 default_server;
		listen [::]:80 default_server;
		location / {
			proxy_pass http://other;
		}
	}

	server {
		listen 80;
		listen [::]:80;
		server_name *.example.org;
		server_name ~^.+-x\\.example\\.org$;
		location / {
			proxy_pass http://any;
		}
	}

	server {
		listen 80;
		listen [::]:80;
		server_name www.example.org;
		location / {
			return 503;
		}
	}
`);
	});
});
