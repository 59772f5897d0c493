/** Things that must be closed, last opened first. Knows nothing of what they are. */

export interface Closeable {
	close(): Promise<void>;
}

export interface Lifetime extends AsyncDisposable {
	/** Remembers something to close; returns it. */
	own<T extends Closeable>(thing: T): T;
	/** Closes everything, each even when another fails; once it began, further calls wait for the same. */
	close(): Promise<void>;
}

/**
 * An empty lifetime. Its `close` rejects with the one error there was, or with an AggregateError.
 */
export function lifetime(): Lifetime {
	const things: Closeable[] = [];
	let closing: Promise<void> | undefined;

	const closeAll = async () => {
		const errors: unknown[] = [];
		for (let thing = things.pop(); thing !== undefined; thing = things.pop()) {
			await thing.close().catch((error: unknown) => errors.push(error));
		}
		if (errors.length === 1) throw errors[0];
		if (errors.length > 1) throw new AggregateError(errors, `${errors.length} things could not be closed`);
	};
	const close = () => {
		closing ??= closeAll();
		return closing;
	};

	return {
		own(thing) {
			things.push(thing);
			return thing;
		},
		close,
		[Symbol.asyncDispose]: close,
	};
}
