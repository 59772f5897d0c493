import { readdirSync, readlinkSync, statSync } from "node:fs";
import { constants, hostname } from "node:os";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNetnsNames } from "../../src/identity/netns-names.js";
import { type Presence, presenceOf } from "../../src/identity/presence.js";
import { createProcfs } from "../../src/identity/procfs.js";
import { openKernel } from "../../src/sensor/kernel.js";
import { eventually } from "../host/eventually.js";
import { lifetime } from "../host/lifetime.js";
import { startListenStorm } from "../host/listen-storm.js";
import { addNetns } from "../host/netns.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import {
	closeFd,
	IPPROTO_MPTCP,
	type RawSocket,
	type RawSocketOptions,
	rawSocket,
	sendIntoFlight,
} from "../host/raw-socket.js";
import { openWatchedTable, type WatchedTable } from "../host/table.js";
import { withinNetns } from "../host/within-netns.js";

requirePrivileges();

let watched: WatchedTable;
beforeEach(() => {
	watched = openWatchedTable();
});
afterEach(() => watched[Symbol.asyncDispose]());

/** A listening socket on a free port of 127.0.0.1 (IPv6: `::`). */
function listener(options: RawSocketOptions = {}, backlog = 77): RawSocket {
	const socket = rawSocket(options);
	expect(socket.bind(0)).toBe(0);
	expect(socket.listen(backlog)).toBe(0);
	return socket;
}

/** A process in a namespace that listens where it says. */
function serve(netns: { name: string }, port: number) {
	const script = `require("node:net").createServer().listen({ host: "0.0.0.0", port: ${port}, backlog: 33 })`;
	return startProcess(["nsenter", `--net=/run/netns/${netns.name}`, "--", process.execPath, "-e", script]);
}

function presenceAt(port: number, netns: string | number = "host"): Presence {
	const procfs = createProcfs();
	return presenceOf(procfs, createNetnsNames({ procfs }), { address: "127.0.0.1", port, netns });
}

describe.skipIf(skipPrivileged)("a socket that opens and closes", () => {
	test("is told with all that is known of it", async () => {
		using socket = listener();
		const seen = await watched.listening(socket.port());
		expect(seen).toMatchObject({
			address: "127.0.0.1",
			family: "ipv4",
			ipv6Only: false,
			protocol: "tcp",
			backlog: 77,
			pid: process.pid,
			hostname: hostname(),
			netnsInode: statSync("/proc/self/ns/net").ino,
			taskNetnsInode: statSync("/proc/self/ns/net").ino,
			pidNamespace: statSync("/proc/self/ns/pid").ino,
		});
		expect(seen.comm).not.toBe("");
		expect(seen.netns).toMatch(/^[1-9]\d*$/);
		const port = socket.port();
		socket.close();
		await watched.closed(port);
		const kinds = watched.events.filter(({ listener: { socket: id } }) => id === seen.socket).map(({ kind }) => kind);
		expect(kinds).toEqual(["listen", "close"]);
	});

	test("in another namespace has that namespace's inode and cookie", async () => {
		await using netns = await addNetns("sensor");
		await using server = serve(netns, 8080);
		const seen = await watched.listening(8080);
		expect(seen.netnsInode).toBe(statSync(`/run/netns/${netns.name}`).ino);
		expect(seen).toMatchObject({ address: "0.0.0.0", backlog: 33, pid: server.pid });
		server.signal("SIGKILL");
		await watched.closed(8080);
	});

	test("without bind gets its port from the next read", async () => {
		using socket = rawSocket();
		expect(socket.listen(5)).toBe(0);
		expect(await watched.listening(socket.port())).toMatchObject({ address: "0.0.0.0", backlog: 5 });
	});

	test("whose listen fails is not in the table afterwards", async () => {
		using first = rawSocket({ reuseAddress: true });
		using second = rawSocket({ reuseAddress: true });
		expect(first.bind(0)).toBe(0);
		const port = first.port();
		expect(second.bind(port)).toBe(0);
		expect(first.listen(1)).toBe(0);
		// the kernel announces LISTEN before it looks whether the port is taken
		expect(second.listen(1)).toBe(-constants.errno.EADDRINUSE);
		await eventually(
			"both sockets were seen",
			() => watched.events.filter((event) => event.listener.port === port).length >= 3,
		);
		expect(watched.at(port)).toHaveLength(1);
		await watched.read();
		expect(watched.at(port)).toHaveLength(1);
	});

	test("beside another one with SO_REUSEPORT is one endpoint until both are closed", async () => {
		using first = listener({ reusePort: true });
		const port = first.port();
		using second = rawSocket({ reusePort: true });
		expect(second.bind(port)).toBe(0);
		expect(second.listen(1)).toBe(0);
		await eventually("two sockets", () => watched.at(port).length === 2);
		expect(watched.table.endpoints().filter((endpoint) => endpoint.port === port)).toHaveLength(1);
		first.close();
		await eventually("one socket", () => watched.at(port).length === 1);
		second.close();
		await watched.closed(port);
	});

	test("over IPv6 says whether it serves IPv4", async () => {
		using both = listener({ ipv6: true });
		using only = listener({ ipv6: true, ipv6Only: true });
		expect(await watched.listening(both.port())).toMatchObject({ family: "ipv6", address: "::", ipv6Only: false });
		expect(await watched.listening(only.port())).toMatchObject({ family: "ipv6", address: "::", ipv6Only: true });
	});

	test("over MPTCP is one listener with its backlog, whether it was told, found by a seed, or read", async () => {
		using socket = listener({ protocol: IPPROTO_MPTCP });
		const port = socket.port();
		await watched.listening(port);
		const once = [{ protocol: "mptcp", backlog: 77, address: "127.0.0.1", pid: process.pid }];
		expect(watched.at(port)).toMatchObject(once);
		await watched.read();
		expect(watched.at(port)).toMatchObject(once);
		const kernel = openKernel();
		try {
			kernel.seed();
			expect(kernel.read().rows.filter((row) => row.port === port)).toMatchObject(once);
		} finally {
			kernel.close();
		}
		expect(socket.listen(99)).toBe(0);
		await watched.read();
		expect(watched.at(port)).toMatchObject([{ protocol: "mptcp", backlog: 99 }]);
		socket.close();
		await watched.closed(port);
		expect(watched.events.filter((event) => event.listener.port === port).map(({ kind }) => kind)).toEqual([
			"listen",
			"close",
		]);
	});

	test("over MPTCP that nobody saw open is gone when it closes", async () => {
		await watched.sensor.close();
		using socket = listener({ protocol: IPPROTO_MPTCP, ipv6: true, ipv6Only: true });
		const port = socket.port();
		await using later = openWatchedTable();
		expect(later.at(port)).toMatchObject([{ protocol: "mptcp", backlog: 77, family: "ipv6", ipv6Only: true }]);
		socket.close();
		await later.closed(port);
	});

	test("outlives the process that opened it in a child", async () => {
		const opener = `
			const server = require("node:net").createServer().listen(0, "127.0.0.1", () => {
				const child = require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 30000)"],
					{ stdio: ["ignore", "ignore", "ignore", server._handle], detached: false });
				console.log(server.address().port, child.pid);
				child.unref();
				setTimeout(() => process.exit(0), 50);
			});`;
		const { stdout } = await execa("setpriv", ["--pdeathsig", "KILL", "--", process.execPath, "-e", opener]).catch(
			(error) => error,
		);
		const [port = 0, child = 0] = String(stdout).split(" ").map(Number);
		expect(port).toBeGreaterThan(0);
		try {
			// what follows in the order of the kernel's events is told after all that was before
			const later = listener({}, 10);
			await watched.listening(later.port());
			later[Symbol.dispose]();
			expect(watched.at(port)).toHaveLength(1);
		} finally {
			if (child > 0) process.kill(child, "SIGKILL");
		}
		await watched.closed(port);
	});

	test("listening again with another backlog shows it after the next read", async () => {
		using socket = listener({}, 10);
		const port = socket.port();
		await watched.listening(port);
		expect(socket.listen(20)).toBe(0);
		await watched.read();
		expect(watched.at(port)).toMatchObject([{ backlog: 20 }]);
	});
});

describe.skipIf(skipPrivileged)("a socket in flight between two processes", () => {
	test("stays, however often the kernel's table is read", async () => {
		const socket = listener();
		const port = socket.port();
		await watched.listening(port);
		const flight = sendIntoFlight(socket);
		for (let i = 0; i < 3; i++) await watched.read();
		expect(watched.at(port)).toHaveLength(1);
		closeFd(flight.land());
		flight.close();
		await watched.closed(port);
	});

	test("is not found by a seed, but /proc/net/tcp tells that it listens", () => {
		const socket = listener();
		const port = socket.port();
		const flight = sendIntoFlight(socket);
		const kernel = openKernel();
		kernel.attach();
		kernel.seed();
		expect(kernel.read().rows.filter((row) => row.port === port)).toEqual([]);
		kernel.close();
		expect(presenceAt(port)).toBe("listening");
		closeFd(flight.land());
		flight.close();
		expect(presenceAt(port)).toBe("closed");
	});
});

describe.skipIf(skipPrivileged)("whether somebody listens at a loopback address", () => {
	test("is asked of the namespace that is meant, by name or number", async () => {
		await using netns = await addNetns("loopback");
		const port = await freePort();
		const inode = statSync(`/run/netns/${netns.name}`).ino;
		expect(presenceAt(port, inode)).toBe("closed");
		await using _server = serve(netns, port);
		// not just anybody at that port: whoever found it free has listened there a moment ago
		await eventually("it listens there", () => watched.at(port).some(({ netnsInode }) => netnsInode === inode));
		expect(presenceAt(port, netns.name)).toBe("listening");
		expect(presenceAt(port, inode)).toBe("listening");
		expect(presenceAt(port, "host")).toBe("closed");
		expect(presenceAt(port, `${netns.name}-other`)).toBe("closed");
	});
});

describe.skipIf(skipPrivileged)("what listened before", () => {
	test("is in the first read, in every namespace", async () => {
		await using netns = await addNetns("seed");
		await using _server = serve(netns, 8081);
		await watched.listening(8081);
		using socket = listener();
		await using later = openWatchedTable();
		expect(later.reads).toBe(1);
		expect(later.at(socket.port())).toMatchObject([{ backlog: 77, pid: process.pid, hostname: hostname() }]);
		expect(later.at(8081)).toMatchObject([{ netnsInode: statSync(`/run/netns/${netns.name}`).ino }]);
		const [live] = watched.at(8081);
		expect(later.at(8081)[0]?.socket).toBe(live?.socket);
	});
});

describe.skipIf(skipPrivileged)("under load", () => {
	test("1,000 pairs in each of ten namespaces at full speed: the table equals what is open", async () => {
		await using owned = lifetime();
		const namespaces = await Promise.all(Array.from({ length: 10 }, (_, i) => addNetns(`storm${i}`)));
		for (const netns of namespaces) owned.own(netns);
		const storms = namespaces.map((netns) => owned.own(startListenStorm({ netns, pairs: 1000, keep: 20 })));
		const results = await Promise.all(storms.map(({ finished }) => finished));
		const inodes = namespaces.map(({ name }) => statSync(`/run/netns/${name}`).ino);
		const open = results.flatMap((result, i) => result.open.map(({ port }) => `${inodes[i]} ${port}`)).sort();
		expect(open).toHaveLength(200);
		const seen = () =>
			watched.table
				.sockets()
				.filter(({ netnsInode }) => inodes.includes(netnsInode))
				.map(({ netnsInode, port }) => `${netnsInode} ${port}`)
				.sort();
		await eventually("the table equals what is open", () => seen().join() === open.join(), { timeoutMs: 20_000 });
		await eventually("every event was delivered or counted", () => {
			const told = watched.events.filter(({ listener: { netnsInode } }) => inodes.includes(netnsInode)).length;
			const { ringFull, missed } = watched.sensor.losses();
			return told + ringFull + missed >= 10 * 2 * 1000 + open.length;
		});
		expect(seen()).toEqual(open);
	});

	test("events that the ring buffer had no room for are counted, and repaired by a read", async () => {
		await using owned = lifetime();
		// no namespace is over its rate, but all of them together are more than there is room for
		const namespaces = await Promise.all(Array.from({ length: 8 }, (_, i) => addNetns(`full${i}`)));
		for (const netns of namespaces) owned.own(netns);
		const kept: RawSocket[] = [];
		// the main thread does nothing else meanwhile, so the worker stops at its bound and the ring fills
		for (const netns of namespaces) {
			withinNetns(netns, () => {
				for (let i = 0; i < 1900; i++) {
					const socket = listener();
					if (i % 500 === 499) kept.push(socket);
					else socket.close();
				}
			});
		}
		try {
			const ports = kept.map((socket) => socket.port()).sort();
			await eventually("the loss was noticed", () => watched.sensor.losses().ringFull > 0);
			const mine = () => watched.table.sockets().filter(({ pid }) => pid === process.pid);
			const minePorts = () =>
				mine()
					.map(({ port }) => port)
					.sort();
			await eventually("the table is right again", () => minePorts().join() === ports.join());
			await eventually("every event was delivered or counted", () => {
				const delivered = watched.events.filter(({ listener: { pid } }) => pid === process.pid).length;
				const { ringFull, limited, missed } = watched.sensor.losses();
				return delivered + ringFull + limited + missed >= 2 * 8 * 1900 - kept.length;
			});
			expect(minePorts()).toEqual(ports);
			expect(watched.troubles.some(({ message }) => message.includes("events lost"))).toBe(true);
		} finally {
			for (const socket of kept) socket.close();
		}
	});

	test("a namespace with too many events is passed over, counted and read; others are told as ever", async () => {
		await using flooding = await addNetns("flood");
		await using calm = await addNetns("calm");
		const kept: RawSocket[] = [];
		withinNetns(flooding, () => {
			for (let i = 0; i < 4000; i++) {
				const socket = listener();
				if (i % 100 === 99) kept.push(socket);
				else socket.close();
			}
		});
		try {
			const events = 2 * 4000 - kept.length;
			const inode = statSync(`/run/netns/${flooding.name}`).ino;
			const other = withinNetns(calm, () => listener());
			const calmPort = other.port();
			const calmInode = statSync(`/run/netns/${calm.name}`).ino;
			const toldOf = (netns: number) => watched.events.filter(({ listener: { netnsInode } }) => netnsInode === netns);
			await eventually("the calm one is told", () => toldOf(calmInode).some(({ listener: l }) => l.port === calmPort));
			other.close();
			await eventually("its close, too", () => toldOf(calmInode).length === 2);
			const { limited } = await eventually("some were passed over", () => {
				const losses = watched.sensor.losses();
				return losses.limited > 0 && losses;
			});
			expect(limited).toBeLessThan(events);
			const open = () => watched.table.sockets().filter(({ netnsInode }) => netnsInode === inode);
			const ports = kept.map((socket) => socket.port()).sort();
			await eventually(
				"the table is right",
				() =>
					open()
						.map(({ port }) => port)
						.sort()
						.join() === ports.join(),
			);
			await eventually("each was told or counted", () => {
				const { ringFull, limited: count, missed } = watched.sensor.losses();
				return toldOf(inode).length + count + ringFull + missed >= events;
			});
			for (const socket of kept.splice(0)) socket.close();
			await eventually("closes that were passed over are found", () => open().length === 0);
			expect(watched.troubles.some(({ message }) => message.includes("too many"))).toBe(true);
		} finally {
			for (const socket of kept) socket.close();
		}
	});
});

test.skipIf(skipPrivileged)("a closed sensor leaves no program, link, map or thread behind", async () => {
	const held = () =>
		readdirSync("/proc/self/fd")
			.map((fd) => readlinkOf(`/proc/self/fd/${fd}`))
			.filter((target) => /bpf|eventfd/.test(target)).length;
	const threads = () => readdirSync("/proc/self/task").length;
	using socket = listener();
	await watched.listening(socket.port()); // so the first worker is up
	const before = { held: held(), threads: threads() };
	const another = openWatchedTable();
	await eventually("the worker runs", () => threads() > before.threads);
	expect(held()).toBeGreaterThan(before.held);
	await another.sensor.close();
	expect(held()).toBe(before.held);
	await eventually("its threads are gone", () => threads() === before.threads);
});

/** Where a descriptor leads; empty when it is gone by now. */
function readlinkOf(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return "";
	}
}
