import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileGlob } from "../../../src/backends/glob.js";
import { compileMatch } from "../../../src/backends/match.js";
import { type Candidate, proxyFinder } from "../../../src/backends/proxy-netns.js";
import { configSchema, type MatchConfig } from "../../../src/config/schema.js";

const HOST_INODE = 4026531833;

const inContainer: Candidate = {
	comm: "nginx",
	hostname: "web-7d4",
	cgroup: "/system.slice/web@1.service",
	unit: "web@1.service",
	pod: "2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11",
	machine: "web-1",
	netnsName: "blue",
	netnsInode: 4026532177,
	isHost: false,
};
const onHost: Candidate = { ...inContainer, netnsName: "host", netnsInode: HOST_INODE, isHost: true };

/** A match as it comes out of a configuration file. */
function matchOf(keys: Record<string, unknown>): MatchConfig {
	const service = configSchema.parse({ host: "edge", services: { web: { match: keys } } }).services["web"];
	if (service === undefined) throw new Error("the schema lost the service");
	return service.match;
}

const noProxy = proxyFinder({ proxies: [] });

function why(keys: Record<string, unknown>, who: Candidate, port = 80, isProxy = noProxy): string | undefined {
	const result = compileMatch(matchOf(keys), isProxy)({ port }, who);
	return result.matched ? undefined : `${result.key}: ${result.why}`;
}

describe("a match", () => {
	test.each([
		["port", 80],
		["port", ["8000-8099", "80-81"]],
		["hostname", "web-*"],
		["hostname", ["db-*", "web-7d4"]],
		["comm", "ngin?"],
		["unit", "web@*.service"],
		["cgroup", "/system.slice/*"],
		["cgroup", "*/web@1.service"],
		["pod", "2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11"],
		["machine", ["db", "web-*"]],
		["netns", "blue"],
		["netns", "b*"],
		["netns", [4026532177, "red"]],
	])("takes a listener whose %s fits %j", (key, value) => {
		expect(why({ [key]: value }, inContainer)).toBeUndefined();
	});

	test("says which ports were wanted", () => {
		expect(why({ port: [80, "8000-8080"] }, inContainer, 8081)).toBe("port: port 8081 is not in 80, 8000-8080");
		expect(why({ port: [80, "8000-8080"] }, inContainer, 8080)).toBeUndefined();
		expect(why({ port: [80, "8000-8080"] }, inContainer, 7999)).toBe("port: port 7999 is not in 80, 8000-8080");
	});

	test.each([
		[{ hostname: ["db-*", "web"] }, "hostname: hostname web-7d4 does not match db-*, web"],
		[{ comm: "Nginx" }, "comm: comm nginx does not match Nginx"],
		[{ unit: "*.scope" }, "unit: unit web@1.service does not match *.scope"],
		[{ cgroup: "system.slice/*" }, "cgroup: cgroup /system.slice/web@1.service does not match system.slice/*"],
		[{ machine: "db-*" }, "machine: machine web-1 does not match db-*"],
		[{ pod: "2f1c" }, "pod: pod 2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11 does not match 2f1c"],
		[{ netns: ["red", 7] }, "netns: netns blue (4026532177) does not match red, 7"],
		[{ netns: "host" }, "netns: netns blue (4026532177) does not match host"],
		[{ port: 80, comm: "java" }, "comm: comm nginx does not match java"],
	])("refuses by %j and says why", (keys, reason) => {
		expect(why(keys, inContainer)).toBe(reason);
	});

	test("refuses what is not known, even by a glob that takes anything", () => {
		const unknown: Candidate = { comm: "", hostname: "", netnsInode: 4026532177, isHost: false };
		expect(why({ unit: "*" }, unknown)).toBe("unit: it has no known unit (wanted: *)");
		expect(why({ pod: "*" }, unknown)).toBe("pod: it has no known pod (wanted: *)");
		expect(why({ machine: "*" }, unknown)).toBe("machine: it has no known machine (wanted: *)");
		expect(why({ hostname: "*" }, unknown)).toBe("hostname: it has no known hostname (wanted: *)");
		expect(why({ netns: "*" }, unknown)).toBe("netns: netns 4026532177 has no name (wanted: *)");
		expect(why({ netns: 4026532177 }, unknown)).toBeUndefined();
	});
});

describe("a listener in the host's namespace", () => {
	test.each([[{ port: 80 }], [{ netns: "*" }], [{ netns: "h*t" }], [{ netns: "blue" }], [{ netns: 4026532177 }]])(
		"is not taken by %j",
		(keys) => {
			expect(why(keys, onHost)).toBe(
				`netns: it is in the host's network namespace (only a service with "netns: host" takes it)`,
			);
		},
	);

	test.each([[{ netns: "host" }], [{ netns: HOST_INODE }], [{ netns: ["blue", "host"], port: 80 }]])(
		"is taken by %j",
		(keys) => {
			expect(why(keys, onHost)).toBeUndefined();
		},
	);

	test("still has to fit the other keys", () => {
		expect(why({ netns: "host", port: 81 }, onHost)).toBe("port: port 80 is not in 81");
	});

	test.each([
		"haproxy",
		"docker-proxy",
		"dockerd",
		"podman",
		"conmon",
		"rootlesskit",
		"rootlessport",
		"slirp4netns",
		"pasta",
		"pasta.avx2",
		"passt.avx2",
	])("is no application when it is %s, unless named so", (comm) => {
		expect(why({ netns: "host" }, { ...onHost, comm })).toBe(
			`comm: ${comm} on the host is a proxy itself (a service that means it names it as comm)`,
		);
		expect(why({ netns: "host", comm }, { ...onHost, comm })).toBeUndefined();
		expect(why({ port: 80 }, { ...inContainer, comm })).toBeUndefined();
	});
});

describe("a glob", () => {
	test.each([
		["*", "", true],
		["", "", true],
		["", "a", false],
		["?", "", false],
		["web", "web", true],
		["web", "web1", false],
		["web", "aweb", false],
		["web-*", "web-", true],
		["*.service", "a.service.d", false],
		["a.c", "abc", false],
		["a?c", "abc", true],
		["a*b*c", "a-b-b-c", true],
		["a*b*c", "a-c-b", false],
		["**a", "ba", true],
		["[ab]", "a", false],
		["[ab]", "[ab]", true],
		["(a|b)+$", "(a|b)+$", true],
		["*a", "a*a", true],
		["a*", "*", false],
	])("%j against %j is %s", (glob, name, expected) => {
		expect(compileGlob(glob)(name)).toBe(expected);
	});

	test("means what the regular expression means that it reads like", () => {
		const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
		const glob = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 8 });
		fc.assert(
			fc.property(glob, text, (pattern, name) => {
				const source = pattern.replace(/\./g, "\\.").replace(/\*+/g, ".*").replace(/\?/g, ".");
				expect(compileGlob(pattern)(name)).toBe(new RegExp(`^${source}$`, "s").test(name));
			}),
			{ numRuns: 2000 },
		);
	});

	test("with many stars answers at once on a name made to be slow", () => {
		const accepts = compileGlob(`${"*a".repeat(30)}b`);
		// its own time: others may be at work meanwhile
		const before = process.cpuUsage();
		expect(accepts("a".repeat(1024))).toBe(false);
		expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
	});
});
