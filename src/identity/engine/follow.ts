/** The engine that the configuration names, while the daemon runs: another one takes its place when that changes. */

import type { Logger } from "pino";
import type { Container, ContainerChange, ContainerLookup, Engine } from "../container.js";

export interface Following {
	/** What the engine knows of a container; undefined where none is asked. */
	lookup(id: string): ContainerLookup | undefined;
	containers(): Iterable<Container>;
	/** Whether one is asked. */
	isAsking(): boolean;
	/**
	 * Goes over to another engine. What the one before told holds until the new one has told of its containers.
	 *
	 * @param url `unix://` and the path of its socket; undefined: none is asked
	 */
	follow(url: string | undefined): Promise<void>;
	/** Resolves when the engine told of its containers, or did not within 2 s: it must not hold up the boot. */
	listed(): Promise<void>;
	close(): Promise<void>;
}

export interface FollowingOptions {
	readonly log: Logger;
	onChange(changes: readonly ContainerChange[]): void;
}

const FIRST_LIST_MS = 2000;

export function followEngine({ log, onChange }: FollowingOptions): Following {
	let engine: Engine | undefined;
	let current: string | undefined;

	const open = async (url: string): Promise<Engine> => {
		// only where one is asked: it takes memory
		const [{ openEngine }, { socketPath }] = await Promise.all([import("./engine.js"), import("./request.js")]);
		return openEngine({ socket: socketPath(url), log, onChange, known: engine?.containers() ?? [] });
	};

	return {
		lookup: (id) => engine?.lookup(id),
		containers: () => engine?.containers() ?? [],
		isAsking: () => engine !== undefined,
		async follow(url) {
			if (url === current) return;
			current = url;
			const next = url === undefined ? undefined : await open(url);
			const before = engine;
			engine = next;
			if (before === undefined) return;
			await before.close();
			if (next !== undefined) return;
			onChange([...before.containers()].map(({ id }) => ({ id, container: undefined, isMoved: false })));
		},
		listed: async () => engine?.listed(FIRST_LIST_MS),
		close: async () => {
			await engine?.close();
		},
	};
}
