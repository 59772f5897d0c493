/** The application that is measured (native/app.c): listens and closes when told, and says when it did. */

import type { Cgroup } from "../../host/cgroup.js";
import { enter, type Netns } from "../../host/netns.js";
import { kill } from "../../host/process.js";
import { type Dialogue, startDialogue } from "./dialogue.js";
import { native } from "./native.js";

export interface AppOptions {
	/** What it answers begins with it. */
	readonly name: string;
	readonly netns: Netns;
	/** Default: that of the caller. */
	readonly cgroup?: Cgroup;
	/** Default: all. */
	readonly address?: string;
	readonly port: number;
	/** How many ports, from that one on. Default: 1. */
	readonly count?: number;
	/** How long it works on a request. Default: 0. */
	readonly workUs?: number;
	/** Default: it stops at once, and answers what it has accepted. */
	readonly onSigterm?: "exit" | "stay";
	/** Of its listeners. Default: 1024. */
	readonly backlog?: number;
}

/** When it called: the first of several ports, and the last. Milliseconds of CLOCK_MONOTONIC. */
export interface CallTimes {
	readonly firstMs: number;
	readonly lastMs: number;
}

export interface App extends AsyncDisposable {
	readonly pid: number;
	readonly name: string;
	/** One port, or all that do not listen yet. */
	listen(port?: number): Promise<CallTimes>;
	/** Closes listeners, and goes on. */
	shut(port?: number): Promise<CallTimes>;
	/** Has it send itself a SIGTERM. Only where it stays. */
	terminate(): Promise<CallTimes>;
	/** Ends at once, whatever it has accepted. */
	exit(): Promise<CallTimes>;
	/** Lives on, and neither accepts nor answers any more. */
	hang(): Promise<CallTimes>;
	/** Sends a signal, and waits for its end. */
	stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
	close(): Promise<void>;
}

/** Starts it; it does not listen yet. */
export async function startApp(options: AppOptions): Promise<App> {
	const { name, netns, cgroup, address = "0.0.0.0", port, count = 1, workUs = 0, onSigterm = "exit" } = options;
	const { backlog = 1024 } = options;
	const words = [name, address, port, count, workUs, onSigterm, backlog].map(String);
	const into = [...(cgroup?.enter ?? []), ...enter(netns)];
	const dialogue: Dialogue = startDialogue([...into, await native("app"), ...words]);
	const { process } = dialogue;
	const call = async (...command: (string | number)[]): Promise<CallTimes> => {
		const [, first, last = first] = (await dialogue.ask(command.join(" "))).split(" ");
		return { firstMs: Number(first) / 1e6, lastMs: Number(last) / 1e6 };
	};
	const one = (at: number | undefined) => (at === undefined ? [] : [at]);
	const stop = async (signal: "SIGTERM" | "SIGKILL") => {
		kill(process.pid, signal);
		await process.exited;
	};
	const close = () => stop("SIGKILL");
	return {
		pid: process.pid,
		name,
		listen: (at) => call("listen", ...one(at)),
		shut: (at) => call("close", ...one(at)),
		terminate: () => call("term"),
		exit: () => call("exit"),
		hang: () => call("hang"),
		stop,
		close,
		[Symbol.asyncDispose]: close,
	};
}
