/**
 * Looks at a HAProxy that is only observed, and tells how its own checks compare with the kernel: every second, and every
 * 50 ms while they differ. Asks for what HAProxy has, and changes nothing.
 */

import type { Logger } from "pino";
import type { Backend } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import type { CompareOptions, Comparison } from "../driver.js";
import { type ComparedLine, createComparator } from "./compare.js";
import { type LiveServers, readLive } from "./live.js";
import type { KnownBackend, SeenServer } from "./one-sided.js";

const LOOK_MS = { quiet: 1000, open: 50 } as const;

/** Longest list in a line of the log. */
const LISTED = 100;

const now = () => performance.now();

/** Begins at once. Does not keep the process alive. */
export function openComparison(
	proxy: Pick<ProxyConfig, "name" | "services" | "runtimeSocket" | "masterSocket" | "timeout">,
	{ desired, backend, log }: CompareOptions,
): Comparison {
	const comparator = createComparator();
	const closing = new AbortController();
	let services: readonly string[] = [];
	let timer: NodeJS.Timeout | undefined;
	let looking: Promise<void> | undefined;

	const tell = (lines: readonly ComparedLine[]) => {
		for (const line of lines) report(log, proxy.name, line);
	};

	const known = (): KnownBackend[] | undefined => {
		const set = desired()?.filter(({ name }) => proxy.services?.includes(name) !== false);
		if (set !== undefined) services = set.map(({ name }) => name);
		return set?.flatMap(({ name: service, backends }) =>
			backends.map((one) => ({ service, id: one.id, listens: isListening(one) })),
		);
	};

	const look = async () => {
		const live = await readLive(proxy, closing.signal);
		if (live.state === "known") tell(comparator.looked(live.worker, seenServers(live.servers), known(), now()));
		else comparator.forget();
	};

	/** Looks, and again when it is time. What stands in the way is told by the loop, which asks the same. */
	const lookNow = () => {
		looking ??= look()
			.catch(() => comparator.forget())
			.finally(() => {
				looking = undefined;
				arm();
			});
	};

	const arm = () => {
		clearTimeout(timer);
		if (closing.signal.aborted || looking !== undefined) return;
		timer = setTimeout(lookNow, comparator.isOpen() ? LOOK_MS.open : LOOK_MS.quiet);
		timer.unref();
	};

	lookNow();
	return {
		notify({ touched = [], atMs, sinceKernelMs }) {
			const kernelAtMs = sinceKernelMs === undefined ? atMs : performance.now() - sinceKernelMs();
			const wasOpen = comparator.isOpen();
			for (const { id } of touched) {
				const listens = services.some((service) => isListening(backend({ service, id })));
				tell(comparator.changed({ id, listens, atMs: kernelAtMs }));
			}
			if (!wasOpen && comparator.isOpen()) arm();
		},
		get summary() {
			return comparator.summary;
		},
		async close() {
			closing.abort();
			clearTimeout(timer);
			await looking;
		},
	};
}

/** One that closed may stay as the last one; to the kernel it is closed. */
const isListening = (backend: Backend | undefined) => backend !== undefined && backend.state !== "closing";

function seenServers(live: LiveServers): SeenServer[] {
	return [...live].flatMap(([backend, servers]) =>
		[...servers].map(([server, { address, admin, running, checks }]) => ({
			name: `${backend}/${server}`,
			address,
			up: running && admin !== "maint",
			inMaintenance: admin === "maint",
			checked: checks === "on",
		})),
	);
}

const LISTS = {
	onlyInProxy: "only in HAProxy: no rule matches, or nothing of it listens on this host",
	onlyInSolistend: "only in solistend",
	downInProxy: "listens, and HAProxy has it down",
	unchecked: "has no running checks to compare with",
} as const;

function report(log: Logger, proxy: string, line: ComparedLine): void {
	switch (line.kind) {
		case "seen":
			log.info({ ...about(proxy, line), checkedAfterMs: Math.round(line.afterMs) }, "compared");
			return;
		case "waiting":
			log.info({ ...about(proxy, line), note: "HAProxy's checks have not seen it so far" }, "compared");
			return;
		case "unnoticed":
			log.info({ ...about(proxy, line), note: unnoticedNote(line) }, "compared");
			return;
		case "alone":
			log.info({ proxy, server: line.server, change: line.change, note: aloneNote(line) }, "compared");
			return;
		case "list": {
			const { names } = line;
			const more = names.length > LISTED ? [`and ${names.length - LISTED} more`] : [];
			log.info({ proxy, servers: [...names.slice(0, LISTED), ...more] }, LISTS[line.list]);
			return;
		}
		default:
			line satisfies never;
	}
}

const about = (proxy: string, { server, change, atMs }: { server: string; change: string; atMs: number }) => ({
	proxy,
	server,
	change,
	kernelAt: new Date(performance.timeOrigin + atMs).toISOString(),
});

function unnoticedNote({ change, forMs }: Extract<ComparedLine, { kind: "unnoticed" }>): string {
	const what = change === "down" ? "closed, and listened again" : "listened, and closed again";
	return `${what} ${Math.round(forMs)} ms later, before HAProxy's checks noticed`;
}

function aloneNote({ change, inMaintenance, listens }: Extract<ComparedLine, { kind: "alone" }>): string {
	if (!listens) return "HAProxy says up; to solistend nothing listens there";
	if (change === "up") return "HAProxy says up again; it listened all the time";
	return inMaintenance
		? "a person has it in maintenance in HAProxy; it still listens"
		: "HAProxy's checks say down; it still listens";
}
