import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FullQueue } from "../../src/listeners/event.js";
import { type Kernel, openKernel } from "../../src/sensor/kernel.js";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { acceptOne, closeFd, IPPROTO_MPTCP, type RawSocket, rawSocket } from "../host/raw-socket.js";

requirePrivileges();

let kernel: Kernel;
beforeEach(() => {
	kernel = openKernel();
	kernel.attach();
});
afterEach(() => kernel.close());

/** Connects until nobody is let in any more; the queue has room for one more than its backlog. */
async function fill(port: number, backlog: number): Promise<Disposable> {
	const clients: Socket[] = [];
	for (let i = 0; i <= backlog; i++) {
		const client = connect(port, "127.0.0.1");
		client.on("error", () => undefined);
		clients.push(client);
		await eventually("a client is in the queue", () => client.readyState === "open");
	}
	return {
		[Symbol.dispose]() {
			for (const client of clients) client.destroy();
		},
	};
}

const queueOf = (socket: RawSocket): FullQueue | undefined => {
	const row = kernel.read().rows.find(({ port, pid }) => port === socket.port() && pid === process.pid);
	expect(row).toBeDefined();
	return kernel.readFullQueues().find((queue) => queue.socket === row?.socket);
};

describe.skipIf(skipPrivileged)("an accept queue", () => {
	test.each([
		["TCP", 0],
		["MPTCP", IPPROTO_MPTCP],
	])("of %s is told while it is full, and its head changes when one is accepted", async (_what, protocol) => {
		using socket = rawSocket({ protocol });
		expect(socket.bind(0)).toBe(0);
		expect(socket.listen(2)).toBe(0);
		expect(queueOf(socket)).toBeUndefined();
		using _clients = await fill(socket.port(), 2);
		// its last client may know that it is connected before the listener does
		const full = await eventually("it is full", () => queueOf(socket));
		expect(full.queued).toBe(3);
		expect(queueOf(socket)).toEqual(full);
		closeFd(acceptOne(socket));
		expect(queueOf(socket)).toBeUndefined();
		const another = connect(socket.port(), "127.0.0.1");
		try {
			const again = await eventually("it is full again", () => queueOf(socket));
			expect(again.queued).toBe(3);
			expect(again.head).not.toBe(full.head);
		} finally {
			another.destroy();
		}
	});

	test("that fills among many listeners is the only one", async () => {
		const others = Array.from({ length: 500 }, () => rawSocket());
		try {
			for (const other of others) expect([other.bind(0), other.listen(4)]).toEqual([0, 0]);
			using socket = rawSocket();
			expect([socket.bind(0), socket.listen(0)]).toEqual([0, 0]);
			using _clients = await fill(socket.port(), 0);
			const mine = new Set(
				kernel
					.read()
					.rows.filter(({ pid }) => pid === process.pid)
					.map((row) => row.socket),
			);
			expect(mine.size).toBe(501);
			const full = () => kernel.readFullQueues().filter((queue) => mine.has(queue.socket));
			await eventually("it is full", () => full().length > 0);
			expect(full()).toMatchObject([{ queued: 1 }]);
		} finally {
			for (const other of others) other.close();
		}
	});
});
