/**
 * A container as its engine tells of it, and the port of engines: whoever implements it may be slow, restart or be wrong;
 * who asks gets an answer at once, and is told when it changes.
 */

/** What a container's engine says of it. All text is raw: chosen by whoever made the image or started the container. */
export interface Container {
	/** Full id, 64 hexadecimal digits. */
	readonly id: string;
	/** Without the engine's leading `/`. */
	readonly name: string;
	/** As it was asked for, e.g. `nginx:1.26`. */
	readonly image: string;
	readonly labels: ReadonlyMap<string, string>;
	/**
	 * Its environment, as far as a convention reads it (`VIRTUAL_*`, `SERVICE_*`): nothing else is kept, there may be secrets
	 * in it. Undefined while it is not known.
	 */
	readonly env: ReadonlyMap<string, string> | undefined;
	/** TCP ports that its image, or whoever started it, says it serves; ascending. */
	readonly exposed: readonly number[];
	/** TCP ports that the engine's host passes on to it. */
	readonly published: readonly PublishedPort[];
	/** Signal that asks it to stop, e.g. `SIGQUIT`, where it says so. */
	readonly stopSignal: string | undefined;
}

export interface PublishedPort {
	/** Inside the container. */
	readonly port: number;
	/** The host's address; `0.0.0.0` or `::` for all of them. */
	readonly hostAddress: string;
	readonly hostPort: number;
}

/** What is known of a container now. */
export type ContainerLookup =
	| { readonly state: "known"; readonly container: Container }
	/** The engine was asked and has not answered, or does not know it; it is asked again. `why` is a clause for people. */
	| { readonly state: "waiting"; readonly why: string };

/** What an engine knows of a container is another value once something about it is new. */
export function sameLookup(a: ContainerLookup | undefined, b: ContainerLookup | undefined): boolean {
	if (a?.state === "known") return b?.state === "known" && a.container === b.container;
	return a?.state === b?.state && a?.why === (b?.state === "waiting" ? b.why : undefined);
}

/** Something about a container is not as it was. */
export interface ContainerChange {
	readonly id: string;
	/** Undefined: it no longer runs. */
	readonly container: Container | undefined;
	/** It was connected to a network, or disconnected: its addresses are to be looked at. */
	readonly isMoved: boolean;
}

export interface Engine {
	/** What is known of a container, at once; one that is not known is asked for, and `onChange` tells of the answer. */
	lookup(id: string): ContainerLookup;
	/** All that run, as far as they are known. */
	containers(): Iterable<Container>;
	/** Resolves when all that run were told of once, or after so long. */
	listed(timeoutMs: number): Promise<void>;
	/** Stops asking, and hangs up. */
	close(): Promise<void>;
}
