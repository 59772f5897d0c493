/** Whose a socket is, where that is easily mistaken: real sockets, told of by the sensor, looked up by the identity stage. */

import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createResolver } from "../../src/identity/resolver.js";
import type { Listener } from "../../src/listeners/event.js";
import { startApplication } from "../host/application.js";
import { addContainerCgroup } from "../host/cgroup.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { addNetns, enter, type Netns } from "../host/netns.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { openWatchedTable, type WatchedTable } from "../host/table.js";

requirePrivileges();

const inodeOf = ({ name }: Netns) => statSync(`/run/netns/${name}`).ino;
const known = (...ipv4: string[]) => ({ state: "known", ipv4, ipv6: [] });

/** A namespace with an address that nobody reaches. */
async function addWith(owned: Lifetime, name: string, address: string): Promise<Netns> {
	const netns = owned.own(await addNetns(name));
	await ip([`addr add ${address}/32 dev lo`], netns.name);
	return netns;
}

const listening = ({ table }: WatchedTable, inode: number, port = 80): Promise<Listener> =>
	eventually(`a listener at ${port} in ${inode}`, () =>
		table.sockets().find((listener) => listener.netnsInode === inode && listener.port === port),
	);

/** Runs a script of Node's; resolves when it has said that it listens. */
async function startScript(owned: Lifetime, words: readonly string[], script: string): Promise<number> {
	let listens = false;
	const onLine = (line: string) => {
		listens ||= line === "listening";
	};
	const started = owned.own(startProcess([...words, process.execPath, "-e", script], { onLine }));
	const ended = new AbortController();
	void started.exited.then(() => ended.abort(new Error(`the script ended:\n${started.lastLines()}`)));
	await eventually("the script listens", () => listens, { signal: ended.signal });
	return started.pid;
}

describe.skipIf(skipPrivileged)("whose a socket is", () => {
	test("is told apart when the inode number of its namespace is that of another one by now", async () => {
		await using owned = lifetime();
		await using table = openWatchedTable();
		const resolver = createResolver();
		const first = await addWith(owned, "first", "198.18.7.1");
		const inode = inodeOf(first);
		const before = owned.own(await startApplication({ name: "before", netns: first }));
		const old = await listening(table, inode);
		expect(resolver.resolve(old).addresses).toEqual(known("198.18.7.1"));
		await before.close();
		await first.close();

		// the kernel gives out the lowest number that is free, once it has cleaned up: whoever gets another one keeps it
		let made = 0;
		const second = await eventually("a namespace with the same inode number", async () => {
			const netns = await addWith(owned, `second${made++}`, "198.18.7.2");
			return inodeOf(netns) === inode && netns;
		});
		owned.own(await startApplication({ name: "after", netns: second }));
		const next = await eventually("the next listener", () =>
			table.table.sockets().find(({ netnsInode, netns }) => netnsInode === inode && netns !== old.netns),
		);
		expect(resolver.resolve(next)).toMatchObject({ addresses: known("198.18.7.2") });
		expect(resolver.resolve(next)).not.toHaveProperty("shared");
		await eventually("the old one is gone", () => !table.table.sockets().some(({ socket }) => socket === old.socket));
	});

	test("is each container's own where two share a network namespace", async () => {
		await using owned = lifetime();
		await using table = openWatchedTable();
		const netns = await addWith(owned, "pod", "198.18.7.1");
		const resolver = createResolver();
		for (const port of [80, 81]) {
			const id = randomBytes(32).toString("hex");
			const cgroup = owned.own(await addContainerCgroup(id));
			owned.own(await startApplication({ name: `app-${port}`, netns, port, within: cgroup.enter }));
			const resolved = resolver.resolve(await listening(table, inodeOf(netns), port));
			expect(resolved).toMatchObject({
				identity: { container: id, netnsName: netns.name },
				addresses: known("198.18.7.1"),
			});
			expect(resolved).not.toHaveProperty("shared");
		}
	});

	test("is a container's in the host's network, too", async () => {
		await using owned = lifetime();
		await using table = openWatchedTable();
		const id = randomBytes(32).toString("hex");
		const cgroup = owned.own(await addContainerCgroup(id));
		const port = await freePort();
		owned.own(await startApplication({ name: "on-host", port, within: cgroup.enter }));
		const host = statSync("/proc/self/ns/net").ino;
		expect(createResolver().resolve(await listening(table, host, port))).toMatchObject({
			identity: { container: id, netnsName: "host" },
			isHost: true,
		});
	});

	test("has the address of the socket's namespace where its process listens in another one", async () => {
		await using owned = lifetime();
		await using table = openWatchedTable();
		const own = await addWith(owned, "own", "198.18.7.1");
		const other = await addWith(owned, "other", "198.18.7.2");
		// somebody has to be there to be asked
		owned.own(await startApplication({ name: "beside", netns: own, port: 81 }));
		const pid = await startScript(
			owned,
			enter(own),
			`const koffi = require("koffi");
			const libc = koffi.load("libc.so.6");
			const call = (text) => libc.func(text);
			const socket = call("int socket(int, int, int)")(2, 1, 0);
			const any80 = Buffer.from([2, 0, 0, 80, ...Array(12).fill(0)]);
			if (call("int bind(int, void *, uint32_t)")(socket, any80, 16) !== 0) throw new Error("bind");
			const netns = require("node:fs").openSync("/run/netns/${other.name}");
			if (call("int setns(int, int)")(netns, 0x40000000) !== 0) throw new Error("setns");
			if (call("int listen(int, int)")(socket, 5) !== 0) throw new Error("listen");
			console.log("listening");
			setInterval(() => {}, 1 << 30);`,
		);
		const listener = await listening(table, inodeOf(own));
		expect(listener).toMatchObject({ pid, taskNetnsInode: inodeOf(other) });
		expect(createResolver().resolve(listener).addresses).toEqual(known("198.18.7.1"));
	});

	test("is known by who is left when its process was gone before anybody could look", async () => {
		await using owned = lifetime();
		await using table = openWatchedTable();
		const netns = await addWith(owned, "orphan", "198.18.7.1");
		const opener = startProcess([
			...enter(netns),
			process.execPath,
			"-e",
			`const server = require("node:net").createServer().listen(80, "0.0.0.0", () => {
				const stdio = ["ignore", "ignore", "ignore", server._handle.fd];
				require("node:child_process").spawn("sleep", ["3600"], { stdio, detached: true }).unref();
				process.exit();
			});`,
		]);
		await opener.exited;
		const listener = await listening(table, inodeOf(netns));
		expect(createResolver().resolve(listener)).toMatchObject({
			identity: { comm: "node", netnsName: netns.name },
			addresses: known("198.18.7.1"),
		});
	});
});
