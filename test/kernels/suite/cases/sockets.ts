/** What a socket can do, and what the sensor tells of it. */

import assert from "node:assert/strict";
import { constants } from "node:os";
import { eventually } from "../../../host/eventually.js";
import { IPPROTO_MPTCP, type RawSocketOptions, rawSocket } from "../../../host/raw-socket.js";
import { type Case, type Group, withoutMptcp } from "../case.js";
import { nextPort, startProgram } from "../program.js";

/** A listening socket of this process, at a port of its own. */
function listener(options: RawSocketOptions = {}, backlog = 77) {
	const socket = rawSocket(options);
	assert.equal(socket.bind(nextPort()), 0);
	assert.equal(socket.listen(backlog), 0);
	return socket;
}

const cases: Case[] = [
	{
		name: "opens, closes",
		async run({ watched }) {
			const socket = listener();
			const port = socket.port();
			const seen = await watched.listening(port);
			const { address, family, protocol, backlog, pid, hostname } = seen;
			assert.deepEqual(
				{ address, family, protocol, backlog, pid, hostname },
				{
					address: "127.0.0.1",
					family: "ipv4",
					protocol: "tcp",
					backlog: 77,
					pid: process.pid,
					hostname: "kernel-test",
				},
			);
			socket.close();
			await watched.closed(port);
			assert.deepEqual(
				watched.eventsAt(port).map(({ kind }) => kind),
				["listen", "close"],
			);
		},
	},
	{
		name: "listens without bind",
		async run({ watched }) {
			using socket = rawSocket();
			assert.equal(socket.listen(5), 0);
			const { address, backlog } = await watched.listening(socket.port());
			assert.deepEqual({ address, backlog }, { address: "0.0.0.0", backlog: 5 });
			const port = socket.port();
			socket.close();
			await watched.closed(port);
		},
	},
	{
		name: "fails to listen: the address is in use",
		async run({ watched }) {
			using first = rawSocket({ reuseAddress: true });
			using second = rawSocket({ reuseAddress: true });
			const port = nextPort();
			assert.equal(first.bind(port), 0);
			assert.equal(second.bind(port), 0);
			assert.equal(first.listen(1), 0);
			assert.equal(second.listen(1), -constants.errno.EADDRINUSE);
			await watched.listening(port);
			await watched.read();
			assert.equal(watched.at(port).length, 1);
		},
	},
	{
		name: "listens again with another backlog: an event",
		async run({ watched }) {
			using socket = listener({}, 10);
			const port = socket.port();
			await watched.listening(port);
			assert.equal(socket.listen(20), 0);
			const again = await eventually("an event of the second listen()", () =>
				watched.eventsAt(port).find(({ kind }) => kind === "relisten"),
			);
			assert.equal(again.listener.backlog, 20);
			assert.equal(watched.at(port)[0]?.backlog, 20);
		},
	},
	{
		name: "listens again with another backlog: the next read",
		async run({ watched }) {
			using socket = listener({}, 10);
			const port = socket.port();
			await watched.listening(port);
			assert.equal(socket.listen(20), 0);
			await watched.read();
			assert.equal(watched.at(port)[0]?.backlog, 20);
		},
	},
	{
		name: "SO_REUSEPORT: two sockets, one endpoint",
		async run({ watched }) {
			using first = listener({ reusePort: true });
			const port = first.port();
			using second = rawSocket({ reusePort: true });
			assert.equal(second.bind(port), 0);
			assert.equal(second.listen(1), 0);
			await eventually("two sockets", () => watched.at(port).length === 2);
			assert.equal(watched.table.endpoints().filter((endpoint) => endpoint.port === port).length, 1);
			first.close();
			await eventually("one socket", () => watched.at(port).length === 1);
			second.close();
			await watched.closed(port);
		},
	},
	{
		name: "fork: a child keeps it when its parent ended",
		async run({ watched }) {
			const port = nextPort();
			await using heir = await startProgram(["inherit", port]);
			await watched.listening(port);
			await watched.read();
			assert.equal(watched.at(port).length, 1);
			await heir.close();
			await watched.closed(port);
		},
	},
	{
		name: "a file descriptor is passed to a process that keeps it",
		async run({ watched }) {
			const port = nextPort();
			await using taker = await startProgram(["pass", port]);
			await watched.listening(port);
			await watched.read();
			assert.equal(watched.at(port).length, 1);
			await taker.close();
			await watched.closed(port);
		},
	},
	{
		name: "MPTCP: one endpoint with its backlog",
		async run({ watched }) {
			using socket = listener({ protocol: IPPROTO_MPTCP });
			const port = socket.port();
			await watched.listening(port);
			for (const when of ["by events", "by a read"]) {
				const endpoints = watched.table.endpoints().filter((endpoint) => endpoint.port === port);
				assert.equal(endpoints.length, 1, when);
				assert.equal(endpoints[0]?.sockets[0].backlog, 77, when);
				await watched.read();
			}
			socket.close();
			await watched.closed(port);
		},
		impossible: withoutMptcp(new RegExp(`^socket: errno ${constants.errno.EPROTONOSUPPORT}$`)),
	},
	{
		name: "IPv6: serves IPv4 as well",
		async run({ watched }) {
			using socket = listener({ ipv6: true });
			const { family, address, ipv6Only } = await watched.listening(socket.port());
			assert.deepEqual({ family, address, ipv6Only }, { family: "ipv6", address: "::", ipv6Only: false });
		},
	},
	{
		name: "IPv6 alone (IPV6_V6ONLY)",
		async run({ watched }) {
			using socket = listener({ ipv6: true, ipv6Only: true });
			const { family, address, ipv6Only } = await watched.listening(socket.port());
			assert.deepEqual({ family, address, ipv6Only }, { family: "ipv6", address: "::", ipv6Only: true });
		},
	},
];

export const sockets: Group = { name: "A socket", cases };
