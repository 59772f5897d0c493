/** Values by a key that several of them share: an index beside a map. Most keys have one value, which takes no set. Pure. */

export interface Grouped<K, V> {
	add(key: K, value: V): void;
	/** Whether others of the key are left. */
	delete(key: K, value: V): boolean;
	of(key: K): Iterable<V>;
	clear(): void;
}

export function createGrouped<K, V extends string | number | object>(): Grouped<K, V> {
	const alone = new Map<K, V>();
	const groups = new Map<K, Set<V>>();
	return {
		add(key, value) {
			const group = groups.get(key);
			const first = alone.get(key);
			if (group !== undefined) group.add(value);
			else if (first === undefined) alone.set(key, value);
			else if (first !== value) {
				alone.delete(key);
				groups.set(key, new Set([first, value]));
			}
		},
		delete(key, value) {
			if (alone.get(key) === value) alone.delete(key);
			const group = groups.get(key);
			group?.delete(value);
			if (group?.size === 0) groups.delete(key);
			return alone.has(key) || groups.has(key);
		},
		of(key) {
			const first = alone.get(key);
			return first === undefined ? (groups.get(key) ?? []) : [first];
		},
		clear() {
			alone.clear();
			groups.clear();
		},
	};
}
