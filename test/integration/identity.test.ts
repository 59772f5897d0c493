/** The identity stage against real namespaces and processes. Records are made by hand: the sensor has its own tests. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createNetnsNames } from "../../src/identity/netns-names.js";
import { createProcfs } from "../../src/identity/procfs.js";
import { createResolver } from "../../src/identity/resolver.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey, socketId } from "../../src/listeners/ids.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

const A = `slsid-${process.pid}-a`;
const B = `slsid-${process.pid}-b`;
const NOBODY = 65534;

const namespaces = new Set<string>();
const processes = new Set<ChildProcess>();

const ip = (...words: string[]) => execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"] });
const inodeOf = (name: string) => statSync(`/run/netns/${name}`).ino;

function addNamespace(name: string): void {
	ip("netns", "add", name);
	namespaces.add(name);
}

function removeNamespace(name: string): void {
	ip("netns", "del", name);
	namespaces.delete(name);
}

/** Starts a program, and waits until it has written a line. */
async function start(...command: [string, ...string[]]): Promise<number> {
	const [file, ...words] = command;
	const child = spawn(file, words, { stdio: ["pipe", "pipe", "inherit"] });
	processes.add(child);
	await Promise.race([
		once(child.stdout, "data"),
		once(child, "exit").then(() => Promise.reject(new Error(`${command.join(" ")} ended`))),
	]);
	if (child.pid === undefined) throw new Error(`${file} did not start`);
	return child.pid;
}

/** A web server in a namespace; its pid. `nsenter` becomes the program, so the pid is known. */
const listenIn = (name: string) =>
	start(
		"nsenter",
		`--net=/run/netns/${name}`,
		process.execPath,
		"-e",
		`require("node:net").createServer().listen(8080, () => console.log("listening"))`,
	);

async function stop(child: ChildProcess): Promise<void> {
	processes.delete(child);
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGKILL");
	await ended;
}

async function stopPid(pid: number): Promise<void> {
	for (const child of processes) if (child.pid === pid) await stop(child);
}

let sockets = 0;

/** The record that the sensor would make of a listener in a namespace. */
function record(netnsInode: number, pid: number, overrides: Partial<Listener> = {}): Listener {
	const uptimeSeconds = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
	return {
		socket: socketId(String(++sockets)),
		netns: netnsKey(String(netnsInode)),
		netnsInode,
		taskNetnsInode: netnsInode,
		family: "ipv6",
		address: "::",
		port: 8080,
		ipv6Only: false,
		protocol: "tcp",
		backlog: 511,
		pid,
		comm: "node",
		hostname: "test",
		pidNamespace: 4026531836,
		cgroupId: "1",
		atNs: (uptimeSeconds + 0.02) * 1e9,
		...overrides,
	};
}

const addressesOfA = { state: "known", ipv4: ["198.18.7.1", "198.19.0.9"], ipv6: ["fd00:198::1"] };
const addressesOfB = { state: "known", ipv4: ["198.18.7.2"], ipv6: [] };

beforeAll(() => {
	addNamespace(A);
	addNamespace(B);
	ip("link", "add", "one", "netns", A, "type", "veth", "peer", "name", "one", "netns", B);
	ip("-n", A, "addr", "add", "198.19.0.9/32", "dev", "one");
	ip("-n", A, "addr", "add", "198.18.7.1/24", "dev", "one");
	ip("-n", A, "addr", "add", "fd00:198::1/64", "dev", "one", "nodad");
	ip("-n", B, "addr", "add", "198.18.7.2/24", "dev", "one");
	for (const name of [A, B]) {
		ip("-n", name, "link", "set", "lo", "up");
		ip("-n", name, "link", "set", "one", "up");
	}
});

afterEach(async () => {
	await Promise.all([...processes].map(stop));
});

afterAll(() => {
	for (const name of [...namespaces]) removeNamespace(name);
});

describe.skipIf(skipPrivileged)("a process that listens in a namespace of its own", () => {
	test("is known by its cgroup, the namespace's name and its addresses", async () => {
		const pid = await listenIn(A);
		const resolved = createResolver().resolve(record(inodeOf(A), pid));
		expect(resolved).toMatchObject({
			identity: { comm: "node", hostname: "test", netnsName: A, netnsInode: inodeOf(A) },
			addresses: addressesOfA,
			isHost: false,
		});
		expect(readFileSync(`/proc/${pid}/cgroup`, "latin1")).toContain(`:${resolved.identity.cgroup}\n`);
	});

	test("is known by another process of the namespace once it is gone, and by what was learnt of it", async () => {
		const first = await listenIn(A);
		const clock = { ms: 0 };
		const resolver = createResolver({ now: () => clock.ms });
		const listener = record(inodeOf(A), first);
		const before = resolver.resolve(listener);
		await stopPid(first);
		await listenIn(B);
		await start("nsenter", `--net=/run/netns/${A}`, "sh", "-c", "echo up; exec cat");
		clock.ms += 50;
		expect(resolver.resolve(listener)).toEqual(before);
		expect(createResolver().resolve(listener).addresses).toEqual(addressesOfA);
		expect(createResolver().resolve(listener).identity).not.toHaveProperty("cgroup");
	});

	test("has unknown addresses when nobody is left, and they are found when somebody comes", async () => {
		const first = await listenIn(A);
		const clock = { ms: 0 };
		const resolver = createResolver({ now: () => clock.ms });
		await stopPid(first);
		const orphan = record(inodeOf(A), first);
		expect(resolver.resolve(orphan).addresses).toMatchObject({ state: "unknown" });
		const next = await listenIn(A);
		expect(resolver.resolve(record(inodeOf(A), next)).addresses).toEqual(addressesOfA);
		clock.ms += 50;
		expect(resolver.resolve(orphan).addresses).toEqual(addressesOfA);
	});

	test("is not taken for one that has its number by now", async () => {
		const pid = await listenIn(A);
		const before = record(inodeOf(A), pid, { atNs: 1 });
		expect(createResolver().resolve(before).identity).not.toHaveProperty("cgroup");
	});
});

describe.skipIf(skipPrivileged)("a socket in another namespace than its process", () => {
	test("has the addresses of its own", async () => {
		const inA = await listenIn(A);
		const inB = await listenIn(B);
		const resolver = createResolver();
		const ofB = record(inodeOf(B), inA, { taskNetnsInode: inodeOf(A) });
		expect(resolver.resolve(ofB).addresses).toEqual(addressesOfB);
		expect(resolver.resolve(record(inodeOf(B), inB)).addresses).toEqual(addressesOfB);
	});

	test("does not get those of the process that is no more where the record says", async () => {
		const inA = await listenIn(A);
		expect(createResolver().resolve(record(inodeOf(B), inA)).addresses).toMatchObject({ state: "unknown" });
	});
});

describe.skipIf(skipPrivileged)("without the right to trace others", () => {
	/** Runs as another user, with no capability, which the kernel gives back afterwards. */
	function asNobody<T>(run: () => T): T {
		process.seteuid?.(NOBODY);
		try {
			return run();
		} finally {
			process.seteuid?.(0);
		}
	}

	test("addresses are read of the process that listens, and of those that share its namespace", async () => {
		const [first, second, elsewhere] = [
			await listenIn(A),
			await start("nsenter", `--net=/run/netns/${A}`, "sh", "-c", "echo up; exec cat"),
			await listenIn(B),
		];
		const clock = { ms: 0 };
		const resolver = createResolver({ now: () => clock.ms });
		const listener = record(inodeOf(A), first);
		asNobody(() => {
			expect(() => readlinkSync(`/proc/${first}/ns/net`)).toThrow("EACCES");
			expect(resolver.resolve(listener)).toMatchObject({ identity: { netnsName: A }, addresses: addressesOfA });
			clock.ms += 50;
			expect(resolver.resolve(record(inodeOf(A), elsewhere, { socket: listener.socket })).addresses).toEqual(
				addressesOfA,
			);
			expect(createResolver().resolve(record(inodeOf(A), process.ppid)).addresses).toMatchObject({ state: "unknown" });
		});
		await stopPid(first);
		clock.ms += 50;
		asNobody(() => expect(resolver.resolve(listener).addresses).toEqual(addressesOfA));
		expect(second).not.toBe(first);
	});

	test("a process's tag tells its namespace as well as the inode number does", async () => {
		const procfs = createProcfs();
		await Promise.all([
			listenIn(A),
			listenIn(B),
			start("nsenter", `--net=/run/netns/${A}`, "sh", "-c", "echo up; exec cat"),
		]);
		// Only these are sure to stay: others' may end meanwhile, and their numbers be those of new ones.
		const staying = new Set([inodeOf(A), inodeOf(B), statSync("/proc/self/ns/net").ino]);
		const seen = procfs.pids().flatMap((pid) => {
			const [inode, tag] = [procfs.netnsInode(pid), procfs.netTag(pid)];
			// One that starts may have gone to its namespace in between.
			const isSettled = inode !== undefined && tag !== undefined && procfs.netnsInode(pid) === inode;
			return isSettled ? [{ inode, tag }] : [];
		});
		const tagOf = new Map(seen.filter(({ inode }) => staying.has(inode)).map(({ inode, tag }) => [inode, tag]));
		const inodes = new Map([...tagOf].map(([inode, tag]) => [tag, inode]));
		expect([tagOf.size, inodes.size]).toEqual([3, 3]);
		for (const { inode, tag } of seen) {
			expect(tag).toBe(tagOf.get(inode) ?? tag);
			expect(inode).toBe(inodes.get(tag) ?? inode);
		}
	});
});

describe.skipIf(skipPrivileged)("names", () => {
	test("of namespaces are found when they come, and gone when they go or are given to another", () => {
		const names = createNetnsNames({ procfs: createProcfs() });
		expect(names.nameOf(inodeOf(A))).toBe(A);
		const fresh = `slsid-${process.pid}-c`;
		addNamespace(fresh);
		const inode = inodeOf(fresh);
		expect(names.nameOf(inode)).toBe(fresh);
		removeNamespace(fresh);
		// another test's namespace may have its number by now
		expect(names.nameOf(inode) ?? "").not.toContain(`slsid-${process.pid}`);
		addNamespace(fresh);
		expect(names.nameOf(inodeOf(fresh))).toBe(fresh);
		expect(names.nameOf(inodeOf(A))).toBe(A);
	});

	test("a namespace without one has none, and no address either", async () => {
		const pid = await start("unshare", "--net", "sh", "-c", "echo up; exec cat");
		const inode = statSync(`/proc/${pid}/ns/net`).ino;
		const { identity, addresses } = createResolver().resolve(record(inode, pid));
		expect(identity).not.toHaveProperty("netnsName");
		expect(addresses).toEqual({ state: "known", ipv4: [], ipv6: [] });
	});

	test("the host's namespace is the host's", () => {
		const inode = statSync("/proc/self/ns/net").ino;
		const { identity, addresses, isHost } = createResolver().resolve(record(inode, process.pid));
		expect(isHost).toBe(true);
		expect(identity.netnsName).toBe("host");
		expect(addresses.state).toBe("known");
	});
});

describe.skipIf(skipPrivileged)("addresses", () => {
	test("that come later are seen by a later look, an IPv6 one once it answers", async () => {
		const name = `slsid-${process.pid}-d`;
		addNamespace(name);
		const pid = await listenIn(name);
		const clock = { ms: 0 };
		const resolver = createResolver({ now: () => clock.ms });
		const look = () => resolver.resolve(record(inodeOf(name), pid)).addresses;
		expect(look()).toEqual({ state: "known", ipv4: [], ipv6: [] });
		ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two");
		ip("-n", name, "addr", "add", "198.18.9.1/24", "dev", "one");
		ip("-n", name, "addr", "add", "fd00:198:9::1/64", "dev", "one");
		// Without a carrier the kernel can't look for duplicates: the IPv6 address stays tentative.
		ip("-n", name, "link", "set", "one", "up");
		clock.ms += 50;
		expect(look()).toEqual({ state: "known", ipv4: ["198.18.9.1"], ipv6: [] });
		ip("-n", name, "link", "set", "two", "up");
		const later = () => {
			clock.ms += 50;
			return look();
		};
		await expect
			.poll(later, { timeout: 10_000 })
			.toEqual({ state: "known", ipv4: ["198.18.9.1"], ipv6: ["fd00:198:9::1"] });
	});

	test("of 1,000 listeners that come at once in one namespace are read once", async () => {
		const pid = await listenIn(A);
		const listeners = Array.from({ length: 1000 }, () => record(inodeOf(A), pid));
		const procfs = createProcfs();
		let reads = 0;
		const readFibTrie = (of: number) => {
			reads++;
			return procfs.readFibTrie(of);
		};
		const resolver = createResolver({ procfs: { ...procfs, readFibTrie }, now: () => 0 });
		for (const listener of listeners) expect(resolver.resolve(listener).addresses).toEqual(addressesOfA);
		expect(reads).toBe(1);
	});
});
