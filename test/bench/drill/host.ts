/** A host of the drill: its daemon, its application on some ports, and what of it was so when. */

import type { Daemon, LogLine } from "../../host/daemon.js";
import type { Fleet, Host } from "../../host/fleet.js";
import { kill } from "../../host/process.js";
import { type App, startApp } from "../rig/app.js";
import { monotonicMs } from "../rig/probe.js";
import type { Span } from "./course.js";
import type { Random } from "./random.js";

export interface DrillHost {
	readonly host: Host;
	/** Places where somebody listens now. */
	places(): readonly string[];
	closed(place: string): readonly Span[];
	/** What its daemon logged. */
	readonly log: readonly LogLine[];
	readonly silent: readonly Span[];
	/** The application opens or closes a port, whichever; nothing where it is dead. */
	toggle(random: Random): Promise<void>;
	/** Its daemon, as a crash or a stop; and again. */
	killDaemon(): Promise<void>;
	stopDaemon(): Promise<void>;
	startDaemon(): Promise<void>;
	pauseDaemon(): void;
	resumeDaemon(): void;
	cut(): Promise<void>;
	mend(): Promise<void>;
	/** Daemon and application at once, and both again. */
	die(): Promise<void>;
	live(random: Random): Promise<void>;
}

export const FIRST_PORT = 8000;

/** Starts its daemon and its application, on half of the ports. */
export async function openDrillHost(fleet: Fleet, name: string, ports: number, random: Random): Promise<DrillHost> {
	const host = await fleet.addHost(name);
	const open = new Set<number>();
	const closed = new Map<number, Span[]>();
	const silent: Span[] = [];
	let daemon: Daemon;
	let app: App | undefined;

	const portOf = (place: string) => Number(place.split(":")[1]);
	const begin = (spans: Span[]) => spans.push({ fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY });
	const end = (spans: readonly Span[] | undefined) => {
		const last = spans?.at(-1);
		if (last !== undefined) last.toMs = monotonicMs();
	};
	const spansOf = (port: number) => {
		const spans = closed.get(port) ?? [];
		closed.set(port, spans);
		return spans;
	};
	const listen = async (port: number) => {
		// at once: whoever toggles meanwhile has to know
		open.add(port);
		await app?.listen(port);
		end(spansOf(port));
	};
	const startApplication = async () => {
		app = fleet.owned.own(await startApp({ name, netns: host.netns, port: FIRST_PORT, count: ports }));
		for (let port = FIRST_PORT; port < FIRST_PORT + ports; port++) {
			if (open.has(port) || random.below(2) === 0 || open.size === 0) await listen(port);
		}
	};
	const startDaemon = async () => {
		daemon = await host.start();
		end(silent);
	};
	for (let port = FIRST_PORT; port < FIRST_PORT + ports; port++) begin(spansOf(port));
	await startApplication();
	daemon = await host.start();

	return {
		host,
		places: () => [...open].map(host.at),
		closed: (place) => spansOf(portOf(place)),
		get log() {
			return daemon.lines;
		},
		silent,
		async toggle({ below }) {
			if (app === undefined) return;
			const port = FIRST_PORT + below(ports);
			if (!open.has(port)) return listen(port);
			// one that has none at all says nothing of who is left
			if (open.size === 1) return;
			open.delete(port);
			begin(spansOf(port));
			await app.shut(port);
		},
		async killDaemon() {
			begin(silent);
			await daemon.kill();
		},
		async stopDaemon() {
			begin(silent);
			await daemon.stop();
		},
		startDaemon,
		pauseDaemon() {
			begin(silent);
			kill(daemon.pid, "SIGSTOP");
		},
		resumeDaemon() {
			kill(daemon.pid, "SIGCONT");
			end(silent);
		},
		async cut() {
			begin(silent);
			await host.line.cut();
		},
		async mend() {
			await host.line.mend();
			end(silent);
		},
		async die() {
			begin(silent);
			for (const port of open) begin(spansOf(port));
			open.clear();
			const dying = app;
			app = undefined;
			await Promise.all([daemon.kill(), dying?.stop("SIGKILL")]);
		},
		async live() {
			await startApplication();
			await startDaemon();
		},
	};
}
