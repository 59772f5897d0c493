/** The registry in a Redis Cluster of three masters and a replica, started here. */

import { writeFile } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import { aclRules } from "../../src/fleet/redis/acl.js";
import { keysOf } from "../../src/fleet/redis/keys.js";
import { openRedisMember } from "../../src/fleet/redis/member.js";
import { eventually } from "../host/eventually.js";
import { lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";
import { type RedisServer, startRedis } from "../host/redis.js";
import { current, join, put, type RegistryUnderTest, registryContract, sees, take } from "../registry-contract.js";

const PASSWORD = "a password, for tests";
const SLOTS = 16_384;
const MASTERS = 3;

interface Node {
	readonly server: RedisServer;
	readonly address: string;
	/** As `CLUSTER MEET` takes it. */
	readonly place: readonly string[];
	readonly id: string;
}

const life = lifetime();
const nodes: Node[] = [];
let passwordFile = "";

async function startNode(): Promise<Node> {
	const [port, bus] = [await freePort(), await freePort()];
	const config = ["cluster-enabled yes", `cluster-port ${bus}`, "cluster-node-timeout 1000", "appendonly yes"];
	const server = life.own(await startRedis({ port, config: [...config, "repl-diskless-sync-delay 0"] }));
	const id = await server.cli("CLUSTER", "MYID");
	return { server, address: `127.0.0.1:${port}`, place: ["127.0.0.1", String(port), String(bus)], id };
}

beforeAll(async () => {
	for (let i = 0; i <= MASTERS; i++) nodes.push(await startNode());
	for (const [i, { server }] of nodes.slice(0, MASTERS).entries()) {
		const [from, to] = [Math.ceil((SLOTS * i) / MASTERS), Math.ceil((SLOTS * (i + 1)) / MASTERS) - 1];
		await server.cli("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
	}
	const [first, ...others] = nodes;
	for (const { place } of others) await first?.server.cli("CLUSTER", "MEET", ...place);
	for (const { server } of nodes) {
		await eventually("the cluster is whole", async () => {
			const info = await server.cli("CLUSTER", "INFO");
			return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${MASTERS + 1}`);
		});
	}
	passwordFile = pathOf(nodes[0]?.server.dir ?? "", "password");
	await writeFile(passwordFile, `${PASSWORD}\n`);
});
afterAll(() => life.close());

let clusters = 0;
let start = 0;
async function asUser(name = `c${++clusters}`): Promise<RegistryUnderTest> {
	for (const { server } of nodes) {
		await server.cli("ACL", "SETUSER", name, "reset", "on", `>${PASSWORD}`, ...aclRules("both", name, true));
	}
	const redis = { cluster: nodes.map(({ address }) => address), username: name, passwordFile };
	const { fleet } = configSchema.parse({ fleet: { redis, cluster: name } });
	if (fleet === undefined) throw new Error("no fleet");
	return {
		join: async (options) => openRedisMember(fleet, options, { boot: "boot", machine: "machine", start: ++start }),
		close: async () => {},
	};
}

describe("as a user with the least rights", () => {
	registryContract(asUser);
});

test("when the node that has the keys dies, its replica has them, and what changes meanwhile is told to it", async () => {
	await using members = lifetime();
	const registry = await asUser("failover");
	const [a, b] = [await join(registry, "a"), await join(registry, "b")];
	for (const { member } of [a, b]) members.own(member);
	a.member.offer([put(80), put(81)]);
	a.member.settled();
	await sees(b, "a", { 80: 100, 81: 100 });
	const slot = Number(await nodes[0]?.server.cli("CLUSTER", "KEYSLOT", keysOf("failover").leases));
	const owner = nodes[Math.floor((slot * MASTERS) / SLOTS)];
	const replica = nodes[MASTERS];
	if (owner === undefined || replica === undefined) throw new Error("no node");
	await replica.server.cli("CLUSTER", "REPLICATE", owner.id);
	await eventually("it is in sync", async () => {
		return (await replica.server.cli("INFO", "replication")).includes("master_link_status:up");
	});
	await owner.server.kill();
	a.member.offer([take(80), put(82)]);
	await eventually("it is frozen", () => a.member.status().publishing.state === "behind");
	await eventually("it is told", () => a.member.status().publishing.state === "current", { timeoutMs: 30_000 });
	await sees(b, "a", { 81: 100, 82: 100 });
	expect(b.changes.some(({ kind }) => kind === "over")).toBe(false);
	await current(a, b);
});
