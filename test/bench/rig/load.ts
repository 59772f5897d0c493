/** A client that asks at fixed times (native/load.c), and what became of its requests. */

import { execa } from "execa";
import { percentile } from "../statistics.js";
import { native } from "./native.js";

export interface Load {
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

/** Asks `perSecond` times a second, `count` times in all; resolves when the last answer is in. */
export async function applyLoad(port: number, perSecond: number, count: number): Promise<Load> {
	const { stdout } = await execa(await native("load"), ["127.0.0.1", port, perSecond, count].map(String));
	const requests = stdout.split("\n").map((line) => line.split(" ").map(Number));
	const times = requests.map(([, us = 0]) => us / 1000);
	return {
		asked: requests.length,
		bad: requests.filter(([status]) => status !== 200).length,
		broken: requests.filter(([status]) => status === 502).length,
		p50: percentile(times, 0.5),
		p99: percentile(times, 0.99),
		max: Math.max(...times),
	};
}
