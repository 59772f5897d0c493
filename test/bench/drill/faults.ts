/** What the drill does to a fleet, each with the way back. Knows nothing of what must hold. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Daemon } from "../../host/daemon.js";
import type { Fleet } from "../../host/fleet.js";
import { kill } from "../../host/process.js";
import type { RedisClock } from "../rig/redis-clock.js";
import type { DrillHost } from "./host.js";
import type { Random } from "./random.js";

/** What is there to be broken. */
export interface Scene {
	readonly fleet: Fleet;
	readonly hosts: readonly [DrillHost, ...DrillHost[]];
	readonly clock: RedisClock;
	readonly random: Random;
	readonly leaseMs: number;
	edge: Daemon;
}

export interface Fault {
	readonly name: string;
	/** Breaks something; returns how to mend it, which takes until it is mended. */
	begin(scene: Scene): Promise<() => Promise<void>>;
	/** The edge is to equal what listens while it lasts, too. */
	readonly isSeen?: boolean;
}

const anyOf = ({ random, hosts }: Scene): DrillHost => random.of(hosts);
const isOver = async () => {};

export const FAULTS: readonly [Fault, ...Fault[]] = [
	{
		name: "Redis is killed and starts empty",
		async begin({ fleet: { redis } }) {
			await redis.kill();
			return async () => {
				await rm(join(redis.dir, "dump.rdb"), { force: true });
				await redis.start();
			};
		},
	},
	{
		name: "Redis is killed and starts with an old backup",
		async begin({ fleet: { redis }, hosts, random }) {
			await redis.cli("SAVE");
			for (let change = 0; change < 10; change++) await random.of(hosts).toggle(random);
			await redis.kill();
			return redis.start;
		},
	},
	{
		name: "Redis stands still (SIGSTOP)",
		async begin({ fleet: { redis } }) {
			redis.pause();
			return async () => redis.resume();
		},
	},
	{
		name: "Redis is flushed",
		async begin({ fleet: { redis } }) {
			await redis.cli("FLUSHALL");
			return isOver;
		},
	},
	{
		name: "Redis takes no writes (maxmemory)",
		async begin({ fleet: { redis } }) {
			await redis.cli("CONFIG", "SET", "maxmemory", "1");
			return async () => void (await redis.cli("CONFIG", "SET", "maxmemory", "0"));
		},
	},
	{
		name: "the network of Redis is cut",
		async begin({ fleet: { redisLine } }) {
			await redisLine.cut();
			return redisLine.mend;
		},
	},
	{
		name: "Redis' clock steps",
		async begin({ clock, random }) {
			const byMs = random.of([-3_600_000, -60_000, -5000, -700, 700, 5000, 60_000, 3_600_000]);
			await clock.step(byMs);
			return () => clock.step(0);
		},
	},
	{
		name: "a host's daemon is killed and starts again",
		async begin(scene) {
			const host = anyOf(scene);
			await host.killDaemon();
			return host.startDaemon;
		},
	},
	{
		name: "a host's daemon is stopped and starts again",
		async begin(scene) {
			const host = anyOf(scene);
			await host.stopDaemon();
			return host.startDaemon;
		},
	},
	{
		name: "a host's daemon stands still (SIGSTOP)",
		async begin(scene) {
			const host = anyOf(scene);
			host.pauseDaemon();
			return async () => host.resumeDaemon();
		},
	},
	{
		name: "a host dies with all that is on it",
		isSeen: true,
		async begin(scene) {
			const host = anyOf(scene);
			await host.die();
			return () => host.live(scene.random);
		},
	},
	{
		name: "the network of a host is cut",
		async begin(scene) {
			const host = anyOf(scene);
			await host.cut();
			return host.mend;
		},
	},
	{
		name: "the edge's daemon is killed and starts again",
		async begin(scene) {
			await scene.edge.kill();
			return async () => {
				scene.edge = await scene.fleet.startEdge();
			};
		},
	},
	{
		name: "the edge's daemon stands still (SIGSTOP)",
		async begin({ edge }) {
			kill(edge.pid, "SIGSTOP");
			return async () => kill(edge.pid, "SIGCONT");
		},
	},
];
