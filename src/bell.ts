/** Tells those who listen that something may have changed; who they are, and what it is, it does not know. */

export interface Bell {
	/** Tells at once; costs nothing while nobody listens. */
	ring(): void;
	/** Calls `tell` at every ring, until the function that is returned is called. */
	subscribe(tell: () => void): () => void;
}

export function createBell(): Bell {
	const told = new Set<() => void>();
	return {
		ring() {
			for (const tell of told) tell();
		},
		subscribe(tell) {
			// the same function may be given twice
			const one = () => tell();
			told.add(one);
			return () => told.delete(one);
		},
	};
}
