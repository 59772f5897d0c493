/** Values by a key that several of them share: an index beside a map. Pure. */

export interface Grouped<K, V> {
	add(key: K, value: V): void;
	/** Whether others of the key are left. */
	delete(key: K, value: V): boolean;
	of(key: K): Iterable<V>;
	clear(): void;
}

export function createGrouped<K, V>(): Grouped<K, V> {
	const groups = new Map<K, Set<V>>();
	return {
		add(key, value) {
			groups.set(key, (groups.get(key) ?? new Set<V>()).add(value));
		},
		delete(key, value) {
			const group = groups.get(key);
			group?.delete(value);
			if (group?.size === 0) groups.delete(key);
			return groups.has(key);
		},
		of: (key) => groups.get(key) ?? [],
		clear: () => groups.clear(),
	};
}
