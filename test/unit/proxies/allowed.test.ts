import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { forbiddenIn, type Trusted, trustedTexts } from "../../../src/proxies/allowed.js";
import { templateContext } from "../../../src/proxies/context.js";
import { renderHaproxy } from "../../../src/proxies/haproxy/rendering.js";
import { loadTemplate } from "../../../src/proxies/render.js";
import { proxyConfig, web } from "../../desired.js";

const PACKAGED = [fileURLToPath(new URL("../../../templates", import.meta.url))];
const NOTHING: Trusted = { directives: new Set(), texts: new Set() };
const trusting = (directives: string[], ...texts: string[]): Trusted => ({
	directives: new Set(directives),
	texts: new Set(texts),
});

const BACKEND = "backend web\n\tmode http\n";
const UPSTREAM = "upstream web {\n";

describe("what a drop-in for HAProxy may have", () => {
	test("is what the packaged template writes, with all of its options", async () => {
		const options = {
			backendLines: ['http-request set-header X-Edge "a b"', "option httpchk"],
			serverOptions: "ssl verify none",
			maxconn: 100,
		};
		const proxy = proxyConfig({ fallbackChecks: true, options: {} });
		const template = await loadTemplate("haproxy-backends.cfg.hbs", PACKAGED);
		const set = web("10.0.0.1", "fd00::1").map((service) => ({ ...service, options }));
		const actual = { file: { confirmed: true }, live: { state: "unknown" as const } };
		const { text } = renderHaproxy({ proxy, host: "h", template }, actual, set).wanted;
		expect(forbiddenIn("haproxy", text, { ...NOTHING, texts: trustedTexts([options]) })).toBeUndefined();
		// the same text is refused where nobody but a template says so
		expect(forbiddenIn("haproxy", text, NOTHING)?.why).toContain("http-request");
	});

	test.each([
		["global\n\tlua-load /tmp/x.lua", "outside of a backend"],
		["program x\n\tcommand id", "outside of a backend"],
		["server s1 10.0.0.1:80", "outside of a backend"],
		["# fine\n\n.if feature(OPENSSL)\n.endif", "outside of a backend"],
		[`${BACKEND}\tlua-load /tmp/x.lua`, '"lua-load" is no directive of a drop-in'],
		[`${BACKEND}\thttp-request lua.x`, '"http-request" is no directive'],
		[`${BACKEND}program x`, '"program" is no directive'],
		[`${BACKEND}\tlog 127.0.0.1 local0`, '"log" is no directive'],
		[`${BACKEND}\terrorfile 503 /etc/shadow`, '"errorfile" is no directive'],
		[`${BACKEND}\toption external-check`, "has arguments that a drop-in may not have"],
		[`${BACKEND}\tbalance "$SECRET"`, "has arguments that a drop-in may not have"],
		[`${BACKEND}\tserver s1 unix@/run/docker.sock`, "no IP address with a port"],
		[`${BACKEND}\tserver s1 /run/docker.sock`, "no IP address with a port"],
		[`${BACKEND}\tserver s1 example.org:80`, "no IP address with a port"],
		[`${BACKEND}\tserver s1 10.0.0.1`, "no IP address with a port"],
		[`${BACKEND}\tserver s1 10.0.0.1:80 crt /etc/ssl/private/x.pem`, '"crt" is no word'],
		[`${BACKEND}\tserver s1 10.0.0.1:80 weight crt`, `"weight crt" can't be meant`],
		[`${BACKEND}\tserver s1 10.0.0.1:80 weight`, "can't be meant"],
		[`${BACKEND}\t"lua-load" /tmp/x.lua`, "is no directive"],
		[`${BACKEND}\tlua\\-load /tmp/x.lua`, "is no directive"],
		["backend web from evil", "a backend needs a name"],
		[`${BACKEND}\rglobal`, "a control character"],
		[`${BACKEND}\tmode\u0000http`, "a control character"],
	])("is not %j", (text, why) => {
		expect(forbiddenIn("haproxy", text, NOTHING)?.why).toContain(why);
	});

	test("is a frontend that routes by host, where the configuration has it listen", async () => {
		const proxy = proxyConfig({ options: { bind: ["*:80", "*:443 ssl crt /etc/ssl/private/x.pem"] } });
		const template = await loadTemplate("haproxy-edge.cfg.hbs", PACKAGED);
		const actual = { file: { confirmed: true }, live: { state: "unknown" as const } };
		const services = ["www.example.org", "*.example.org", ""].map((host, index) => {
			const [service] = web("10.0.0.1");
			if (service === undefined) throw new Error("no service");
			return { ...service, name: `web${index}`, hosts: host === "" ? [] : [host] };
		});
		const tcp = { ...web("10.0.0.2")[0], name: "db", mode: "tcp" as const, options: { bind: "*:5432" } };
		const { text } = renderHaproxy({ proxy, host: "h", template }, actual, [
			...services,
			{ ...web()[0], hosts: [], balance: "first", weight: 1, backends: [], ...tcp },
		]).wanted;
		expect(text).toContain("use_backend web1 if");
		const texts = trustedTexts([proxy.options, tcp.options]);
		expect(forbiddenIn("haproxy", text, { ...NOTHING, texts })).toBeUndefined();
		expect(forbiddenIn("haproxy", text, NOTHING)?.why).toContain('it binds to "*:80"');
		for (const line of [
			"use_backend %[req.hdr(x)]",
			"http-request deny",
			"default_backend a b",
			"server s 10.0.0.1:80",
		]) {
			expect(forbiddenIn("haproxy", `frontend http\n\t${line}`, NOTHING)).toBeDefined();
		}
	});

	test("is told with its line", () => {
		expect(forbiddenIn("haproxy", `# one\n${BACKEND}\n\tlua-load x`, NOTHING)?.line).toBe(5);
		expect(forbiddenIn("haproxy", `${BACKEND}\n\u001b`, NOTHING)?.line).toBe(4);
	});

	test("is what root names besides, and only that", () => {
		const text = `${BACKEND}\thttp-request deny\n\tserver s1 10.0.0.1:80 check ssl verify none weight 1`;
		expect(forbiddenIn("haproxy", text, trusting(["http-request"], "ssl verify none"))).toBeUndefined();
		expect(forbiddenIn("haproxy", text, trusting([], "ssl verify none"))).toBeDefined();
		expect(forbiddenIn("haproxy", text, trusting(["http-request"]))).toBeDefined();
	});

	test("is not an option's text where it changes what stands around it", () => {
		const text = `${BACKEND}\tserver s1 10.0.0.1:80 cookie ssl verify none agent-check`;
		expect(forbiddenIn("haproxy", text, trusting([], "ssl verify none"))).toBeDefined();
	});
});

describe("what a drop-in for Nginx may have", () => {
	test("is what the packaged template writes, with all of its options", async () => {
		const options = {
			upstreamLines: ["zone web 64k;", "keepalive_timeout 30s;"],
			serverOptions: "backup",
			keepalive: 8,
		};
		const proxy = proxyConfig({ type: "nginx", options: { unavailable: "127.0.0.1:8503" } });
		const template = await loadTemplate("nginx-upstreams.conf.hbs", PACKAGED);
		for (const balance of ["roundrobin", "leastconn", "source", "uri", "random"]) {
			const set = [...web("10.0.0.1", "fd00::1"), ...web()].map((service, index) => ({
				...service,
				name: `web${index}`,
				balance,
				options,
			}));
			const text = template.render(templateContext(proxy, "h", set));
			const trusted = { ...NOTHING, texts: trustedTexts([options, proxy.options]) };
			expect([balance, forbiddenIn("nginx", text, trusted)]).toEqual([balance, undefined]);
			expect(forbiddenIn("nginx", text, NOTHING)?.why).toContain("listen 127.0.0.1:8503");
		}
	});

	test.each([
		["include /etc/shadow;", '"include" is no directive'],
		["load_module /tmp/x.so;", '"load_module" is no directive'],
		["server { listen 80; root /; }", '"listen 80" is not what'],
		[`${UPSTREAM}access_log /etc/cron.d/x;}`, '"access_log" is no directive of an upstream'],
		[`${UPSTREAM}server unix:/run/docker.sock;}`, "no IP address"],
		[`${UPSTREAM}server example.org;}`, "no IP address"],
		[`${UPSTREAM}server 10.0.0.1:80 resolve;}`, '"resolve" is no word'],
		[`${UPSTREAM}location / { }}`, "opens a block"],
		[`${UPSTREAM}server 10.0.0.1`, "a statement has no end"],
		[`${UPSTREAM}server 10.0.0.1;`, "a statement has no end"],
		[`${UPSTREAM}}}`, "a statement has no end"],
		[`${UPSTREAM}hash "a";}`, "has arguments"],
		[`${UPSTREAM}hash $${"{x}"};}`, "a quote, a backslash or ${"],
		[`${UPSTREAM}server 10.0.0.1;#\n}inc"l"ude /x;`, "a quote, a backslash or ${"],
		[`${UPSTREAM}server 10.0.0.1;} a#b;include /x;`, '"a#b" is no directive'],
	])("is not %j", (text, why) => {
		expect(forbiddenIn("nginx", text, NOTHING)?.why).toContain(why);
	});

	test("is what root names besides", () => {
		const text = `${UPSTREAM}sticky cookie "srv id";server 10.0.0.1;}\nmap $a $b { default 1; }`;
		expect(forbiddenIn("nginx", text, trusting(["sticky", "map"]))).toBeUndefined();
		expect(forbiddenIn("nginx", text, trusting(["map"]))?.line).toBe(2);
	});
});

test("no text makes it fail, and none with a directive of another kind gets through", () => {
	const word = fc.constantFrom(
		..."backend upstream server { } ; # \" ' \\ $ \n \t web 10.0.0.1:80 weight 1 mode http".split(" "),
	);
	const evil = fc.constantFrom("lua-load", "include", "program", "load_module", "access_log", "user", "log");
	fc.assert(
		fc.property(fc.array(word), evil, fc.array(word), (before, directive, after) => {
			const text = [...before, "\n", ";", "\n", directive, "/tmp/x", ";", "\n", ...after].join(" ");
			// A comment, a name or an argument may hold any word; a statement of its own may not begin with it.
			expect(forbiddenIn("haproxy", text, NOTHING)).toBeDefined();
			expect(forbiddenIn("nginx", text, NOTHING)).toBeDefined();
		}),
	);
});
