/** A map that keeps what was used last: bounded memory for what may be asked again. Pure. */

export interface Recent<K, V> {
	/** The value, which counts as a use. */
	get(key: K): V | undefined;
	set(key: K, value: V): void;
}

/**
 * @param limit how many entries are kept; the one that was not used for longest goes first
 * @param onGone is told of each that went so
 */
export function createRecent<K, V>(limit: number, onGone: (key: K, value: V) => void = () => {}): Recent<K, V> {
	// A Map iterates in the order of insertion: to use an entry is to insert it again.
	const entries = new Map<K, V>();
	const set = (key: K, value: V) => {
		entries.delete(key);
		entries.set(key, value);
		if (entries.size <= limit) return;
		for (const [oldest, gone] of entries) {
			entries.delete(oldest);
			onGone(oldest, gone);
			return;
		}
	};
	return {
		get(key) {
			const value = entries.get(key);
			if (value !== undefined) set(key, value);
			return value;
		},
		set,
	};
}
