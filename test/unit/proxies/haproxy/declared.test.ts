import { expect, test } from "vitest";
import { declaredAddresses, parseDeclared } from "../../../../src/proxies/haproxy/declared.js";

/** By backend, the addresses of its servers. */
function declared(text: string) {
	return Object.fromEntries(
		[...parseDeclared(text).backends].map(([name, servers]) => [
			name,
			Object.fromEntries([...servers].map(([server, { address }]) => [server, address])),
		]),
	);
}

test("backends and listens are declared, with their servers", () => {
	expect(
		declared(`
global
	server no 10.0.0.1:1
backend web from base
	server 10.0.0.1:80 10.0.0.1:80 weight 100
	  server   b	[FD00::0:1]:8080
backend empty
listen db
	bind :1
	server c ipv4@10.0.0.2:5432 check
frontend f
	bind :2
	server no 10.0.0.1:2
peers p
	server no 10.0.0.1:3
`),
	).toEqual({
		web: { "10.0.0.1:80": "10.0.0.1:80", b: "fd00::1:8080" },
		empty: {},
		db: { c: "10.0.0.2:5432" },
	});
});

test("an address that is a name, a path or without a port is not compared", () => {
	expect(
		declared(
			"backend w\nserver a web.local:80\nserver b /run/w.sock\nserver c 10.0.0.1\nserver d unix@/x:1\nserver e 10.0.0.1:+1",
		),
	).toEqual({ w: { a: undefined, b: undefined, c: undefined, d: undefined, e: undefined } });
});

test("words are read as HAProxy reads them", () => {
	expect(
		declared(`backend w # backend no
	server "a b" '10.0.0.1:80'
	server c\\ d 10.0.0.2:80
	# server no 10.0.0.3:80
	server e"f"g "10.0.0.4:80" # 10.0.0.5:80
	server no
	default-server inter 1s
`),
	).toEqual({ w: { "a b": "10.0.0.1:80", "c d": "10.0.0.2:80", efg: "10.0.0.4:80" } });
});

test("what can be changed at run time is told apart from the rest of a line, and from all other lines", () => {
	const { backends, frame } = parseDeclared(`# a file
backend w
	balance first
	server a 10.0.0.1:80 check weight 7 maxconn 9 disabled
	server b 10.0.0.2:80
frontend f
	bind :1`);
	expect([...(backends.get("w") ?? [])]).toEqual([
		["a", { address: "10.0.0.1:80", weight: 7, disabled: true, options: " check maxconn 9", line: 3 }],
		["b", { address: "10.0.0.2:80", weight: undefined, disabled: false, options: "", line: 4 }],
	]);
	expect(frame).toBe("# a file\nbackend w\n\tbalance first\nfrontend f\n\tbind :1");
});

test("servers that are disabled are not taken for an earlier run's", () => {
	const { backends } = parseDeclared(
		"backend w\nserver a 10.0.0.1:80\nserver b [fd00::1]:81\nserver c 10.0.0.3:80 disabled",
	);
	expect(declaredAddresses(backends)).toEqual([
		{ service: "w", address: "10.0.0.1", port: 80 },
		{ service: "w", address: "fd00::1", port: 81 },
	]);
});
