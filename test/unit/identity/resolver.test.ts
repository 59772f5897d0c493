import { mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_READ_BYTES } from "../../../src/identity/procfs.js";
import { createResolver } from "../../../src/identity/resolver.js";
import type { Listener } from "../../../src/listeners/event.js";
import { netnsKey, socketId } from "../../../src/listeners/ids.js";
import { type FakeProcess, fakeProcfs } from "./fake-procfs.js";

const HOST = 4026531833;
const BLUE = 4026532177;
const CONTAINER = "3f2a9c0d41b6f7e8a5c3d2e1f09876543210abcdef0123456789abcdef012345";

const base: Listener = {
	socket: socketId("1"),
	netns: netnsKey("4196"),
	netnsInode: BLUE,
	taskNetnsInode: BLUE,
	family: "ipv4",
	address: "0.0.0.0",
	port: 80,
	ipv6Only: false,
	protocol: "tcp",
	backlog: 128,
	pid: 100,
	comm: "nginx",
	hostname: "web-1",
	pidNamespace: 4026531836,
	cgroupId: "1",
	atNs: 5_000_000_000,
};
const web: FakeProcess = { pid: 100, netns: BLUE, cgroup: "0::/system.slice/web.service\n" };
const known = (...ipv4: string[]) => ({ state: "known", ipv4, ipv6: [] });
const unknown = expect.objectContaining({ state: "unknown" });

function open(...processes: FakeProcess[]) {
	const procfs = fakeProcfs(processes);
	procfs.addresses.set(BLUE, "10.0.0.2");
	const clock = { ms: 1000 };
	const resolver = createResolver({
		procfs,
		netnsFolder: "/nonexistent",
		now: () => clock.ms,
		interfaces: () => ({
			lo: [{ address: "127.0.0.1", netmask: "", family: "IPv4", mac: "", internal: true, cidr: null }],
			eth0: [{ address: "192.0.2.2", netmask: "", family: "IPv4", mac: "", internal: false, cidr: null }],
		}),
	});
	const addresses = (listener: Partial<Listener> = {}) => resolver.resolve({ ...base, ...listener }).addresses;
	const identity = (listener: Partial<Listener> = {}) => resolver.resolve({ ...base, ...listener }).identity;
	return { procfs, clock, resolver, addresses, identity, expire: resolver.expire };
}

describe("who listens", () => {
	test("comes from the record and the process's cgroup", () => {
		const { resolver } = open({ ...web, cgroup: `0::/system.slice/docker-${CONTAINER}.scope\n` });
		expect(resolver.resolve(base)).toEqual({
			identity: {
				comm: "nginx",
				hostname: "web-1",
				cgroup: `/system.slice/docker-${CONTAINER}.scope`,
				container: CONTAINER,
				netnsInode: BLUE,
			},
			addresses: known("10.0.0.2"),
			isHost: false,
		});
	});

	test("holds no character that could mean something else in a configuration", () => {
		const { identity } = open({ ...web, cgroup: "0::/a b.slice/we\\x2db.service\n" });
		expect(identity({ comm: 'a\n"b}', hostname: "evil #{{x}}" })).toEqual({
			comm: "a__b_",
			hostname: "evil____x__",
			cgroup: "/a_b.slice/we_x2db.service",
			unit: "we_x2db.service",
			netnsInode: BLUE,
		});
	});

	test("has its pod and its machine from there, too", () => {
		const pod = "2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11";
		const place = `0::/lxc.payload.a b/kubepods/burstable/pod${pod}/${CONTAINER}\n`;
		expect(open({ ...web, cgroup: place }).identity()).toMatchObject({ pod, machine: "a_b", container: CONTAINER });
	});

	test("is what the record tells when the process is gone already", () => {
		expect(open().identity()).toEqual({ comm: "nginx", hostname: "web-1", netnsInode: BLUE });
	});

	describe("whose process is gone already", () => {
		const PID_NAMESPACE = 4026532555;
		const inContainer = (pid: number, id: string) => ({
			pid,
			netns: BLUE,
			pidNamespace: PID_NAMESPACE,
			cgroup: `0::/docker/${id}\n`,
		});
		const orphan = { pid: 9, pidNamespace: PID_NAMESPACE };

		test("is in the container of those that share its process ids", () => {
			const { identity, procfs } = open(inContainer(200, CONTAINER), inContainer(201, CONTAINER));
			expect(identity(orphan)).toEqual({ comm: "nginx", hostname: "web-1", container: CONTAINER, netnsInode: BLUE });
			procfs.processes = [];
			expect(identity(orphan)).toHaveProperty("container", CONTAINER);
		});

		test("is in none that can be told where these are in two, or share the host's", () => {
			const two = open(inContainer(200, CONTAINER), inContainer(201, "e".repeat(64)));
			expect(two.identity(orphan)).not.toHaveProperty("container");
			const { identity } = open({ ...inContainer(200, CONTAINER), pidNamespace: base.pidNamespace });
			expect(identity({ pid: 9 })).not.toHaveProperty("container");
		});

		test("is looked for again a quarter of a second later, not before", () => {
			const { identity, procfs, clock } = open();
			identity(orphan);
			procfs.processes = [inContainer(200, CONTAINER)];
			expect(identity(orphan)).not.toHaveProperty("container");
			clock.ms += 250;
			expect(identity(orphan)).toHaveProperty("container", CONTAINER);
		});

		test("waits for the engine's word where one is asked, since it may be in a container", () => {
			const procfs = fakeProcfs([{ pid: 1, netns: HOST }]);
			const resolver = createResolver({ procfs, netnsFolder: "/nonexistent", isAsking: () => true });
			expect(resolver.resolve({ ...base, pid: 9 }).container).toEqual({
				state: "waiting",
				why: "process 9, which listened, is gone, and nobody tells which container it was in",
			});
			expect(resolver.resolve({ ...base, pid: 9, netnsInode: HOST }).container).toBeUndefined();
		});
	});

	test("is not taken from a later process with the same number", () => {
		expect(open({ ...web, startedAtNs: base.atNs + 1 }).identity()).not.toHaveProperty("unit");
		expect(open({ ...web, startedAtNs: base.atNs }).identity()).toHaveProperty("unit", "web.service");
	});

	test("is kept for the socket when the process goes, and for that socket only", () => {
		const { procfs, identity } = open(web);
		expect(identity()).toHaveProperty("unit", "web.service");
		procfs.processes = [];
		expect(identity()).toHaveProperty("unit", "web.service");
		expect(identity({ pid: 101 })).toHaveProperty("unit", "web.service");
		expect(identity({ socket: socketId("2") })).not.toHaveProperty("unit");
	});

	test("is read once for each socket and process", () => {
		const { procfs, identity } = open(web, { ...web, pid: 101, cgroup: "0::/system.slice/next.service\n" });
		identity();
		identity();
		expect(procfs.reads.cgroup).toBe(1);
		expect(identity({ pid: 101 })).toHaveProperty("unit", "next.service");
	});

	test("is read once for a burst of the process's sockets, and anew after 50 ms or once it was let expire", () => {
		const { procfs, clock, identity, expire } = open(web);
		for (const socket of ["1", "2", "3"]) expect(identity({ socket: socketId(socket) })).toHaveProperty("unit");
		expect(procfs.reads.cgroup).toBe(1);
		clock.ms += 50;
		identity({ socket: socketId("4") });
		expect(procfs.reads.cgroup).toBe(2);
		expire();
		identity({ socket: socketId("5") });
		expect(procfs.reads.cgroup).toBe(3);
	});

	test("is not taken from a process that was looked at for another socket, and started after this one listened", () => {
		const { identity } = open({ ...web, startedAtNs: base.atNs + 1 });
		expect(identity({ socket: socketId("2"), atNs: base.atNs + 2 })).toHaveProperty("unit", "web.service");
		expect(identity()).not.toHaveProperty("unit");
	});
});

describe("a listener in the host's namespace", () => {
	test("is known as such, with the addresses of the system's interfaces", () => {
		const { resolver, procfs } = open({ ...web, netns: HOST });
		expect(resolver.resolve({ ...base, netns: netnsKey("1"), netnsInode: HOST, taskNetnsInode: HOST })).toMatchObject({
			identity: { netnsName: "host", netnsInode: HOST },
			addresses: known("192.0.2.2"),
			isHost: true,
		});
		expect(procfs.reads.fibTrie).toBe(0);
	});

	test("has unknown addresses when the system does not tell them", () => {
		const interfaces = () => {
			throw new Error("no interfaces");
		};
		const resolver = createResolver({ procfs: fakeProcfs([]), netnsFolder: "/nonexistent", interfaces });
		expect(resolver.resolve({ ...base, netnsInode: HOST }).addresses).toEqual({
			state: "unknown",
			why: "this host's interfaces can't be read: no interfaces",
		});
	});
});

describe("the addresses of a listener's namespace", () => {
	test("are read of the process that listens", () => {
		const { addresses, procfs } = open(web, { pid: 1, netns: HOST });
		expect(addresses()).toEqual(known("10.0.0.2"));
		expect(procfs.reads).toMatchObject({ fibTrie: 1, walks: 0 });
	});

	test("are unknown when nobody is left, with the reason, and found by a later call", () => {
		const { addresses, procfs, clock } = open({ pid: 1, netns: HOST });
		expect(addresses()).toEqual({
			state: "unknown",
			why: "no process in network namespace 4026532177 can be read (process 100, which listened, is gone or elsewhere)",
		});
		procfs.processes.push({ pid: 7, netns: BLUE });
		clock.ms += 1001;
		expect(addresses()).toEqual(known("10.0.0.2"));
	});

	test("are not held back by an earlier listener whose process was gone", () => {
		const { addresses } = open(web);
		expect(addresses({ pid: 99 })).toEqual(known("10.0.0.2"));
		const other = open(web);
		other.procfs.processes = [];
		expect(other.addresses({ pid: 99 })).toEqual(unknown);
		other.procfs.processes = [web];
		expect(other.addresses()).toEqual(known("10.0.0.2"));
	});

	test("are read of an earlier listener's process when the new one's is gone", () => {
		const { addresses, procfs, clock } = open(web);
		addresses();
		clock.ms += 100;
		expect(addresses({ socket: socketId("2"), pid: 200 })).toEqual(known("10.0.0.2"));
		expect(procfs.reads.walks).toBe(0);
	});

	test("are never those of another namespace that the process is in", () => {
		const { addresses, procfs } = open({ ...web, netns: 4026532200 });
		procfs.addresses.set(4026532200, "10.6.6.6");
		expect(addresses()).toEqual(unknown);
		expect(addresses({ taskNetnsInode: 4026532200 })).toEqual(unknown);
		procfs.processes.push({ pid: 7, netns: BLUE });
		expect(addresses({ taskNetnsInode: 4026532200 })).toEqual(unknown); // no second walk within a second
	});

	test("are searched among all processes when the socket is in another namespace than its process", () => {
		const { addresses } = open({ ...web, netns: 4026532200 }, { pid: 7, netns: BLUE });
		expect(addresses({ taskNetnsInode: 4026532200 })).toEqual(known("10.0.0.2"));
	});

	test("are those of now after 50 ms, and read once in a burst", () => {
		const { addresses, procfs, clock } = open(web);
		for (let i = 0; i < 1000; i++) addresses({ socket: socketId(String(i)) });
		expect(procfs.reads.fibTrie).toBe(1);
		procfs.addresses.set(BLUE, "10.0.0.3");
		clock.ms += 49;
		expect(addresses()).toEqual(known("10.0.0.2"));
		clock.ms += 1;
		expect(addresses()).toEqual(known("10.0.0.3"));
	});

	test("are looked at anew once they were let expire, and then read once in a burst again", () => {
		const { addresses, procfs, expire } = open(web);
		expect(addresses()).toEqual(known("10.0.0.2"));
		procfs.addresses.set(BLUE, "10.0.0.3");
		expire();
		for (let i = 0; i < 1000; i++) expect(addresses()).toEqual(known("10.0.0.3"));
		expect(procfs.reads.fibTrie).toBe(2);
	});

	test("are the very same value as long as nothing about them changes", () => {
		const { addresses, procfs, expire } = open(web);
		const before = addresses();
		expire();
		expect(addresses()).toBe(before);
		procfs.addresses.set(BLUE, "10.0.0.3");
		expire();
		expect(addresses()).toEqual(known("10.0.0.3"));
	});

	test("are not mixed up when an inode number is used again", () => {
		const { addresses, procfs } = open(web);
		expect(addresses()).toEqual(known("10.0.0.2"));
		procfs.addresses.set(BLUE, "10.0.0.3");
		expect(addresses({ netns: netnsKey("4197") })).toEqual(known("10.0.0.3"));
	});

	test("of many orphans cost one walk in a second", () => {
		const { addresses, procfs } = open({ pid: 1, netns: HOST });
		for (let i = 0; i < 100; i++) addresses({ netns: netnsKey(String(i)), netnsInode: BLUE + i });
		expect(procfs.reads.walks).toBe(1);
	});
});

describe("an address that two namespaces have", () => {
	const GREEN = 4026532200;
	const inGreen: Partial<Listener> = { netns: netnsKey("5000"), netnsInode: GREEN, taskNetnsInode: GREEN, pid: 200 };
	const openBoth = () => {
		const opened = open(web, { pid: 200, netns: GREEN });
		opened.procfs.addresses.set(GREEN, "10.0.0.2");
		const shared = (listener: Partial<Listener> = {}) => opened.resolver.resolve({ ...base, ...listener }).shared;
		return { ...opened, shared };
	};

	test("is known as such once services want somebody in both, until one is forgotten", () => {
		const { shared, resolver } = openBoth();
		expect([shared(), shared(inGreen)]).toEqual([undefined, undefined]);
		resolver.want(base.netns, true);
		expect([shared(), resolver.disturbed()]).toEqual([undefined, []]);
		resolver.want(netnsKey("5000"), true);
		expect(resolver.disturbed()).toEqual([netnsKey("5000"), base.netns]);
		expect([shared(), shared(inGreen)]).toEqual([["10.0.0.2"], ["10.0.0.2"]]);
		resolver.forget(netnsKey("5000"));
		expect(resolver.disturbed()).toEqual([base.netns]);
		expect(shared()).toBeUndefined();
	});

	test("is so again when the one that was forgotten comes back, however soon", () => {
		const { shared, resolver } = openBoth();
		shared();
		shared(inGreen);
		resolver.want(base.netns, true);
		resolver.want(netnsKey("5000"), true);
		resolver.forget(netnsKey("5000"));
		expect(shared(inGreen)).toBeUndefined();
		resolver.want(netnsKey("5000"), true);
		expect(shared(inGreen)).toEqual(["10.0.0.2"]);
	});

	test("is not one where a namespace has the inode number of one that is gone", () => {
		const { shared, resolver, clock } = openBoth();
		shared();
		resolver.want(base.netns, true);
		shared({ netns: netnsKey("4197") });
		resolver.want(netnsKey("4197"), true);
		expect(shared({ netns: netnsKey("4197") })).toBeUndefined();
		clock.ms += 50;
		expect(shared()).toBeUndefined();
		expect(shared({ netns: netnsKey("4197") })).toBeUndefined();
	});
});

describe("the routes of a proxy's namespace", () => {
	const TABLE = "eth0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0\n";

	test("are read once in a burst, anew after 50 ms, and are the same value while nothing changes", () => {
		const { procfs, clock, resolver } = open(web, { pid: 1, netns: HOST });
		procfs.routes.set(HOST, [TABLE, ""]);
		const first = resolver.routesOf("host");
		expect(first.reach("10.1.2.3")).toBe("routed");
		for (let i = 0; i < 1000; i++) expect(resolver.routesOf("host")).toBe(first);
		expect(procfs.reads.routes).toBe(1);
		clock.ms += 50;
		expect(resolver.routesOf("host")).toBe(first);
		procfs.routes.set(HOST, ["", ""]);
		expect(resolver.routesOf("host")).toBe(first);
		resolver.expire();
		expect(resolver.routesOf("host").reach("10.1.2.3")).toBe("none");
		expect(procfs.reads.routes).toBe(3);
	});

	test("are those of a process in it, and hold while there is none", () => {
		const { procfs, clock, resolver } = open(web, { pid: 1, netns: HOST });
		procfs.routes.set(BLUE, [TABLE, ""]);
		const known = resolver.routesOf(BLUE);
		expect(known.reach("10.1.2.3")).toBe("routed");
		procfs.processes = procfs.processes.slice(1);
		clock.ms += 5000;
		expect(resolver.routesOf(BLUE)).toBe(known);
	});

	test("are unknown where nobody can be asked, nothing can be read, or not to the end", () => {
		const { procfs, resolver } = open(web, { pid: 1, netns: HOST });
		const reach = (netns: string | number, address = "10.1.2.3") => resolver.routesOf(netns).reach(address);
		expect([reach("a-name-that-nobody-has"), reach(4026532999), reach("host")]).toEqual(Array(3).fill("unknown"));
		procfs.routes.set(BLUE, [TABLE.padEnd(MAX_READ_BYTES)]);
		expect([reach(BLUE), reach(BLUE, "fd00::1")]).toEqual(["unknown", "unknown"]);
	});
});

describe("without the right to trace others", () => {
	const hidden: FakeProcess = { ...web, hidden: true };

	test("the process that the kernel reported is believed", () => {
		expect(open(hidden).addresses()).toEqual(known("10.0.0.2"));
	});

	test("it is not when it is in our own namespace: then only its thread was there", () => {
		const { addresses, procfs } = open({ ...hidden, netns: HOST });
		procfs.addresses.set(HOST, "192.0.2.2");
		expect(addresses()).toEqual(unknown);
	});

	test("it is not when another process has its number by now", () => {
		expect(open({ ...hidden, startedAtNs: base.atNs + 1 }).addresses()).toEqual(unknown);
	});

	test("it is not when it is known to be elsewhere: what was known of the namespace holds", () => {
		const { addresses, procfs, clock } = open(hidden, { ...hidden, pid: 101, netns: 4026532200 });
		procfs.addresses.set(4026532200, "10.6.6.6");
		expect(addresses()).toEqual(known("10.0.0.2"));
		clock.ms += 100;
		procfs.processes = procfs.processes.slice(1);
		expect(addresses({ pid: 101 })).toEqual(known("10.0.0.2"));
	});

	test("others of a namespace once seen are found when the first is gone", () => {
		const { addresses, procfs, clock } = open(hidden, { ...hidden, pid: 101 }, { pid: 5, netns: HOST, hidden: true });
		expect(addresses()).toEqual(known("10.0.0.2"));
		procfs.processes = procfs.processes.slice(1);
		clock.ms += 100;
		expect(addresses()).toEqual(known("10.0.0.2"));
	});

	test("a process that was not reported is not believed", () => {
		expect(open(hidden).addresses({ pid: 99 })).toEqual(unknown);
	});
});

describe("the name of a namespace", () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "solistend-resolver-"));
	});
	afterEach(() => rmSync(folder, { recursive: true }));

	test("is looked at once in a burst, anew after 50 ms, and at once when it was let expire", () => {
		// Real inodes of nsfs, whatever the namespaces are of.
		const netnsInode = statSync("/proc/self/ns/uts").ino;
		const clock = { ms: 1000 };
		const resolver = createResolver({ procfs: fakeProcfs([web]), netnsFolder: folder, now: () => clock.ms });
		const name = () => resolver.resolve({ ...base, netnsInode }).identity.netnsName;
		expect(name()).toBeUndefined();
		symlinkSync("/proc/self/ns/uts", join(folder, "blue"));
		expect(name()).toBeUndefined();
		clock.ms += 50;
		expect(name()).toBe("blue");
		renameSync(join(folder, "blue"), join(folder, "red"));
		clock.ms += 49;
		expect(name()).toBe("blue");
		clock.ms += 1;
		expect(name()).toBe("red");
		renameSync(join(folder, "red"), join(folder, "green"));
		expect(name()).toBe("red");
		resolver.expire();
		expect(name()).toBe("green");
	});
});
