/** That the table equals the kernel: at the start, whatever holds the socket, and whatever was lost. */

import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { eventually } from "../../../host/eventually.js";
import { rawSocket } from "../../../host/raw-socket.js";
import { type Case, type Group, withoutMptcp } from "../case.js";
import { listeningPorts } from "../proc-net-tcp.js";
import { nextPort, type Program, startProgram } from "../program.js";
import type { Watched } from "../watched.js";

const READS = 10;
/** Of the storm, in each of its namespaces: two events each. The buffer holds some 6,000. */
const PAIRS = 1000;
const KEPT = 20;
const PATIENCE = { timeoutMs: 60_000 };

/** The ports that the table has in the namespace of a process: one for each socket, but for what MPTCP has twice. */
const portsIn = (watched: Watched, netnsInode: number) =>
	watched.table
		.sockets()
		.filter((listener) => listener.netnsInode === netnsInode)
		.map(({ port }) => port)
		.sort((a, b) => a - b);

const netnsOf = (pid: number | "self") => Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]);

/** The ports that a process opened, and that the table has. */
const portsOf = (watched: Watched, pid: number) =>
	watched.table
		.sockets()
		.filter((listener) => listener.pid === pid)
		.map(({ port }) => port)
		.sort((a, b) => a - b);

const equals = (a: readonly number[], b: readonly number[]) => a.join() === b.join();

/** How many programs, links and maps the sensor holds. */
const held = (pid: number) =>
	readdirSync(`/proc/${pid}/fd`).filter((fd) => {
		try {
			return readlinkSync(`/proc/${pid}/fd/${fd}`).includes("bpf");
		} catch {
			return false; // closed meanwhile
		}
	}).length;

/** Opens a socket, and closes it once the table has it. */
async function openAndClose(watched: Watched): Promise<number> {
	const port = nextPort();
	using socket = rawSocket();
	socket.bind(port);
	socket.listen(1);
	await watched.listening(port);
	socket.close();
	await watched.closed(port);
	return port;
}

const cases: Case[] = [
	{
		name: "what listened before is in the first read",
		async run({ watched, before }) {
			const backlogs = [before.plain, before.elsewhere, before.ipv6].map((port) => watched.at(port)[0]?.backlog);
			assert.deepEqual(backlogs, [21, 22, 23]);
		},
	},
	{
		name: "MPTCP that listened before: one endpoint with its backlog",
		async run({ watched, before }) {
			assert(before.mptcp !== undefined, "the kernel has no MPTCP");
			const endpoints = watched.table.endpoints().filter(({ port }) => port === before.mptcp);
			assert.deepEqual(
				endpoints.map(({ sockets }) => sockets[0].backlog),
				[24],
			);
		},
		impossible: withoutMptcp(/^the kernel has no MPTCP$/),
	},
	{
		name: "a socket in flight (SCM_RIGHTS) that listened before is in the first read",
		async run({ watched, before }) {
			assert.equal(watched.at(before.inFlight).length, 1, "no file descriptor refers to it");
		},
		impossible: () => ({
			because: "the kernel lists open files by the processes that have them, and this one is in none",
			shows: /no file descriptor refers to it/,
		}),
	},
	{
		name: "a socket of an io_uring alone that listened before is in the first read",
		async run({ watched, before }) {
			assert.equal(watched.at(before.inRing).length, 1, "no file descriptor refers to it");
		},
		impossible: () => ({
			because: "the kernel lists open files by the processes that have them, and this one is in none",
			shows: /no file descriptor refers to it/,
		}),
	},
	{
		name: "events and reads agree with /proc/net/tcp",
		async run({ watched, before }) {
			const hidden = [before.inFlight, before.inRing];
			const mine = [rawSocket(), rawSocket({ ipv6: true }), rawSocket({ reusePort: true })];
			for (const socket of mine) {
				socket.bind(nextPort());
				socket.listen(1);
				await watched.listening(socket.port());
			}
			mine.pop()?.close();
			const inode = netnsOf("self");
			const unique = (ports: number[]) => [...new Set(ports)].filter((port) => !hidden.includes(port));
			const equal = () => {
				assert.deepEqual(unique(portsIn(watched, inode)), unique(listeningPorts("self")));
				return true;
			};
			await eventually("the table equals /proc/net/tcp", equal);
			await watched.read();
			equal();
			for (const socket of mine) socket.close();
			await eventually("the table equals /proc/net/tcp", equal);
		},
	},
	{
		name: "a socket in flight stays, however often the table is read",
		async run({ watched }) {
			const port = nextPort();
			await using sender = await startProgram(["flight", port]);
			await watched.listening(port);
			for (let i = 0; i < 3; i++) await watched.read();
			assert.equal(watched.at(port).length, 1);
			await sender.close();
			await watched.closed(port);
		},
	},
	{
		name: "a socket of an io_uring alone stays, and goes with it",
		async run({ watched }) {
			const port = nextPort();
			await using owner = await startProgram(["uring", port]);
			await watched.listening(port);
			for (let i = 0; i < 3; i++) await watched.read();
			assert.equal(watched.at(port).length, 1);
			await owner.close();
			await watched.closed(port);
		},
	},
	{
		name: "a socket that is passed to and fro is never missed by a read",
		async run({ watched }) {
			const port = nextPort();
			await using _jugglers = await startProgram(["juggle", port]);
			await watched.listening(port);
			for (let i = 0; i < READS; i++) {
				await watched.read();
				assert.equal(watched.at(port).length, 1);
			}
			assert.deepEqual(
				watched.eventsAt(port).map(({ kind }) => kind),
				["listen"],
			);
		},
	},
	{
		name: "three crashes of the worker: nothing is lost, nothing told twice, nothing left",
		async run({ watched }) {
			await openAndClose(watched);
			const before = held(watched.pid);
			for (let i = 1; i <= 3; i++) {
				await watched.crash();
				const port = await openAndClose(watched);
				await eventually("the death was counted", () => watched.troubles.at(-1)?.losses.workerDeaths === i, PATIENCE);
				const told = watched.eventsAt(port).filter(({ kind }) => kind === "listen").length;
				assert(told <= 1, `one listen() was told ${told} times`);
				const after = await openAndClose(watched);
				assert.equal(watched.eventsAt(after).filter(({ kind }) => kind === "listen").length, 1);
			}
			assert.equal(held(watched.pid), before);
		},
	},
	{
		name: "events that found no room: counted, and repaired by a read",
		async run({ watched }) {
			const lost = () => watched.troubles.at(-1)?.losses.ringFull ?? 0;
			const before = lost();
			process.kill(watched.pid, "SIGSTOP");
			let storm: Program | undefined;
			try {
				// more than the buffer holds, and in each namespace fewer than its share
				storm = await startProgram(["storm", PAIRS, 4, KEPT]);
			} finally {
				process.kill(watched.pid, "SIGCONT");
			}
			const { pid } = storm;
			await using _storm = storm;
			await eventually("the loss was counted", () => lost() > before, PATIENCE);
			const open = listeningPorts(pid);
			assert.equal(open.length, KEPT);
			await eventually("the table equals what is open", () => equals(portsOf(watched, pid), open), PATIENCE);
			await watched.read();
			assert.deepEqual(portsOf(watched, pid), open);
		},
	},
	{
		name: "a namespace that floods: another one is told at once, and this one is right when it calms",
		async run({ watched }) {
			const limited = () => watched.troubles.at(-1)?.losses.limited ?? 0;
			const missed = () => watched.troubles.at(-1)?.losses.missed ?? 0;
			const before = limited();
			const missedBefore = missed();
			await using flood = await startProgram(["flood"]);
			await eventually("the flood is limited", () => limited() > before, PATIENCE);
			for (let i = 0; i < 2; i++) {
				const port = await openAndClose(watched);
				const kinds = () => watched.eventsAt(port).map(({ kind }) => kind);
				// A read may have it first. What the kernel passes over where it preempts, it counts: that is found by a read alone.
				await eventually("both were told", () => kinds().join() === "listen,close" || missed() > missedBefore);
			}
			await flood.close();
			await eventually("the table has nothing of it", () => portsOf(watched, flood.pid).length === 0, PATIENCE);
			await watched.read();
			assert.deepEqual(portsOf(watched, flood.pid), []);
		},
	},
];

export const truth: Group = { name: "The table and the kernel", cases };
