/** A client that asks at fixed times (native/load.c), and what became of its requests. */

import { execa } from "execa";
import { percentile } from "../statistics.js";
import { native } from "./native.js";

export interface Request {
	/** When it was due, in milliseconds of CLOCK_MONOTONIC. */
	readonly dueMs: number;
	/** Of the answer; 0 where there was none within 10 s. */
	readonly status: number;
	readonly tookMs: number;
}

export interface Load {
	/** In the order in which they were due. */
	readonly requests: readonly Request[];
	readonly asked: number;
	/** Answered with anything but 200, or not at all. */
	readonly bad: number;
	/** Of these 502: the proxy had a connection to the application when it broke. */
	readonly broken: number;
	/** Of all answers, in milliseconds from when the request was due. */
	readonly p50: number;
	readonly p99: number;
	readonly max: number;
}

export interface RunningLoad {
	/** Resolves when the last answer is in. */
	readonly ended: Promise<Load>;
	/** Asks no more. */
	stop(): void;
}

/**
 * Asks `perSecond` times a second, `most` times at most.
 *
 * @param address of the proxy, on this machine
 */
export async function startLoad(
	port: number,
	perSecond: number,
	most: number,
	address = "127.0.0.1",
): Promise<RunningLoad> {
	const subprocess = execa(await native("load"), [address, port, perSecond, most].map(String), { stdin: "pipe" });
	return { ended: subprocess.then(({ stdout }) => summed(stdout)), stop: () => void subprocess.stdin.end() };
}

function summed(lines: string): Load {
	const requests = lines.split("\n").map((line): Request => {
		const [status = 0, us = 0, dueNs = 0] = line.split(" ").map(Number);
		return { dueMs: dueNs / 1e6, status, tookMs: us / 1000 };
	});
	const times = requests.map(({ tookMs }) => tookMs);
	return {
		requests,
		asked: requests.length,
		bad: requests.filter(({ status }) => status !== 200).length,
		broken: requests.filter(({ status }) => status === 502).length,
		p50: percentile(times, 0.5),
		p99: percentile(times, 0.99),
		max: Math.max(...times),
	};
}
