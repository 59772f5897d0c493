/** Backends of one service as containers have them: each an application in a namespace of its own on the bridge. */

import { setTimeout as pause } from "node:timers/promises";
import type { Cgroup } from "../../host/cgroup.js";
import type { ConnectedNetns, Segment } from "../../host/netns.js";
import { type App, startApp } from "./app.js";

/** How a backend goes: it is told to stop and does so at once, it is killed, or its namespace and address go as well. */
export type Leaving = "SIGTERM" | "SIGKILL" | "namespace";

export interface Member {
	readonly name: string;
	readonly netns: ConnectedNetns;
	readonly app: App;
}

export interface FleetOptions {
	/** Of the listeners. Default: 1024. */
	readonly backlog?: number;
	/** Where the first one runs; default: that of the caller. */
	readonly cgroup?: Cgroup;
}

export interface Fleet {
	readonly addresses: readonly string[];
	/** As they were at the start. */
	readonly members: readonly Member[];
	/** Takes one out and brings it back at the same address after the gap. Resolves when it listens. */
	restart(index: number, leaving: Leaving, gapMs: number): Promise<void>;
}

export const PORT = 80;

/** Starts `size` backends that listen; they close with the segment. */
export async function startFleet(
	segment: Segment,
	size: number,
	workUs: number,
	{ backlog, cgroup }: FleetOptions = {},
): Promise<Fleet> {
	const start = async (name: string, netns: ConnectedNetns, within?: Cgroup): Promise<App> => {
		const app = await startApp({
			name,
			netns,
			port: PORT,
			workUs,
			...(backlog !== undefined && { backlog }),
			...(within !== undefined && { cgroup: within }),
		});
		await app.listen();
		return app;
	};
	const members: { readonly name: string; netns: ConnectedNetns; app: App }[] = [];
	for (let index = 0; index < size; index++) {
		const name = `web-${index}`;
		const netns = await segment.addNetns(name);
		members.push({ name, netns, app: await start(name, netns, index === 0 ? cgroup : undefined) });
	}
	return {
		addresses: members.map(({ netns }) => netns.address),
		members: members.map((member) => ({ ...member })),
		async restart(index, leaving, gapMs) {
			const member = members[index];
			if (member === undefined) throw new Error(`no backend ${index}`);
			await member.app.stop(leaving === "SIGKILL" ? "SIGKILL" : "SIGTERM");
			if (leaving === "namespace") await member.netns.close();
			await pause(gapMs);
			if (leaving === "namespace") member.netns = await segment.addNetns(member.name, member.netns.address);
			member.app = await start(member.name, member.netns);
		},
	};
}
