/** The engine that the configuration names, while the daemon runs: another one takes its place when that changes. */

import type { Logger } from "pino";
import type { Container, ContainerChange, ContainerLookup, Engine } from "../container.js";

export interface Following {
	/** What the engine knows of a container; undefined where none is asked. */
	lookup(id: string): ContainerLookup | undefined;
	containers(): Iterable<Container>;
	/**
	 * Goes over to another engine. Resolves when it told of its containers, or did not within 2 s: services by label are
	 * there, then, before a proxy is touched.
	 *
	 * @param url `unix://` and the path of its socket; undefined: none is asked
	 */
	follow(url: string | undefined): Promise<void>;
	close(): Promise<void>;
}

export interface FollowingOptions {
	readonly log: Logger;
	onChange(changes: readonly ContainerChange[]): void;
}

/** An engine that is down must not hold up the boot. */
const FIRST_LIST_MS = 2000;

export function followEngine({ log, onChange }: FollowingOptions): Following {
	let engine: Engine | undefined;
	let current: string | undefined;

	const leave = async () => {
		const left = engine;
		engine = undefined;
		current = undefined;
		if (left === undefined) return;
		const gone = [...left.containers()].map(({ id }) => ({ id, container: undefined, isMoved: false }));
		await left.close();
		onChange(gone);
	};

	return {
		lookup: (id) => engine?.lookup(id),
		containers: () => engine?.containers() ?? [],
		async follow(url) {
			if (url === current) return;
			await leave();
			if (url === undefined) return;
			current = url;
			// node:http takes memory
			const { openEngine } = await import("./engine.js");
			const opened = openEngine({ socket: url.slice("unix://".length), log, onChange });
			engine = opened;
			await opened.listed(FIRST_LIST_MS);
		},
		close: async () => {
			await engine?.close();
		},
	};
}
