/** What a Redis has done since its start, by its own count: `INFO`. */

import type { RedisServer } from "../../host/redis.js";

export interface RedisCounts {
	/** What clients asked, and not what scripts did for them. */
	readonly commands: number;
	/** What its scripts did. */
	readonly inScripts: number;
	/** Bytes. */
	readonly received: number;
	readonly sent: number;
	/** Milliseconds on a CPU. */
	readonly cpuMs: number;
}

/** Each line of `INFO` as a name and its value. */
async function infoOf(redis: RedisServer): Promise<ReadonlyMap<string, string>> {
	const text = await redis.cli("INFO", "everything");
	return new Map(text.split("\n").map((line) => splitAt(line.trim())));
}

function splitAt(line: string): [string, string] {
	const colon = line.indexOf(":");
	return [line.slice(0, colon), line.slice(colon + 1)];
}

export async function redisVersion(redis: RedisServer): Promise<string> {
	return (await infoOf(redis)).get("redis_version") ?? "";
}

/** Memory of its data, in megabytes. */
export async function redisMemoryMb(redis: RedisServer): Promise<number> {
	return Number((await infoOf(redis)).get("used_memory_dataset")) / 1e6;
}

export async function countsOf(redis: RedisServer): Promise<RedisCounts> {
	const info = await infoOf(redis);
	const number = (name: string) => Number(info.get(name));
	const calls = [...info].flatMap(([name, value]) => {
		const command = /^cmdstat_(.*)/.exec(name)?.[1];
		return command === undefined ? [] : [{ command, count: Number(/calls=(\d+)/.exec(value)?.[1]) }];
	});
	const countOf = (some: typeof calls) => some.reduce((sum, { count }) => sum + count, 0);
	const isAsked = ({ command }: { command: string }) => ASKED.has(command);
	return {
		commands: countOf(calls.filter(isAsked)),
		inScripts: countOf(calls.filter((call) => !isAsked(call))),
		received: number("total_net_input_bytes"),
		sent: number("total_net_output_bytes"),
		cpuMs: (number("used_cpu_user") + number("used_cpu_sys")) * 1000,
	};
}

/** What daemons send; all else is done by scripts. */
const ASKED = new Set([
	"eval",
	"evalsha",
	"xread",
	"ping",
	"hello",
	"auth",
	"info",
	"client|setname",
	"client|setinfo",
]);

/** What was done between two counts. */
export const between = (before: RedisCounts, after: RedisCounts): RedisCounts => ({
	commands: after.commands - before.commands,
	inScripts: after.inScripts - before.inScripts,
	received: after.received - before.received,
	sent: after.sent - before.sent,
	cpuMs: after.cpuMs - before.cpuMs,
});
