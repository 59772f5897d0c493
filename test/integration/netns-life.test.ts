/** Network namespaces that come and go, by the thousand, with listeners in them. */

import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startApplication } from "../host/application.js";
import { eventually } from "../host/eventually.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { addNetns } from "../host/netns.js";
import { type Alone, listenAlone } from "../host/new-netns.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { openWatchedTable, type WatchedTable } from "../host/table.js";

requirePrivileges();

const COUNT = 1500;
const PORT = 4747;

let owned: Lifetime;
let watched: WatchedTable;
let open: Alone[];

beforeEach(() => {
	owned = lifetime();
	watched = openWatchedTable();
	owned.own({ close: () => watched.sensor.close() });
	open = [];
});
afterEach(async () => {
	for (const { socket } of open.splice(0)) socket.close();
	await owned.close();
});

const listenIn = (count: number) => {
	open.push(...listenAlone(count, PORT));
	return open.map(({ netnsInode }) => netnsInode).sort();
};
const closeAll = () => {
	for (const { socket } of open.splice(0)) socket.close();
};
const mine = (of = watched) => of.at(PORT).filter(({ pid }) => pid === process.pid);
const inodes = (of = watched) =>
	mine(of)
		.map(({ netnsInode }) => netnsInode)
		.sort();

describe.skipIf(skipPrivileged)("namespaces", () => {
	test(`by the thousand (${COUNT}), each with a listener at the same port, are each a place of its own`, async () => {
		const made = listenIn(COUNT);
		await eventually("all are there", () => mine().length === COUNT, { timeoutMs: 30_000 });
		expect(inodes()).toEqual(made);
		const endpoints = watched.table.endpoints().filter(({ port }) => port === PORT);
		expect(new Set(endpoints.map(({ netns }) => netns)).size).toBe(COUNT);
		// one that starts now finds the same
		await using later = openWatchedTable();
		expect(inodes(later)).toEqual(made);
		closeAll();
		await eventually("all are gone", () => mine().length + mine(later).length === 0, { timeoutMs: 30_000 });
	});

	test("that are gone leave nothing to those that get their inode numbers", async () => {
		/** By inode number, the namespace that has it. */
		const last = new Map<number, string>();
		const round = async (): Promise<number> => {
			listenIn(200);
			await eventually("all are there", () => mine().length === 200, { timeoutMs: 30_000 });
			const reused = mine().filter(({ netnsInode }) => last.has(netnsInode));
			for (const { netns, netnsInode } of mine()) {
				expect(last.get(netnsInode)).not.toBe(netns);
				last.set(netnsInode, netns);
			}
			closeAll();
			await eventually("all are gone", () => mine().length === 0, { timeoutMs: 30_000 });
			for (let i = 0; i < 2; i++) await watched.read();
			expect(mine()).toEqual([]);
			return reused.length;
		};
		// the kernel cleans up in its own time, and gives out the lowest number that is free
		await eventually("numbers are given out again", async () => (await round()) > 0, { timeoutMs: 45_000 });
	});

	test("whose name is deleted keep their listeners for as long as a process is there", async () => {
		const netns = owned.own(await addNetns("deleted"));
		const application = owned.own(await startApplication({ name: "app", netns, port: PORT }));
		const listener = await watched.listening(PORT);
		await execa("ip", ["netns", "del", netns.name]);
		await watched.read();
		await watched.read();
		expect(watched.at(PORT)).toEqual([listener]);
		await application.tell("close");
		await watched.closed(PORT);
		await application.tell("listen");
		expect(await watched.listening(PORT)).toMatchObject({ netns: listener.netns, netnsInode: listener.netnsInode });
		await application.close();
		await watched.closed(PORT);
	});
});
