/**
 * The lowest port that each container listens on, kept as listeners come and go: a label that names no port means that one.
 * Pure.
 */

export interface Lowest {
	add(container: string, port: number): void;
	/** In as many calls as there were to `add`. */
	delete(container: string, port: number): void;
	/** Undefined when it listens on none. */
	of(container: string): number | undefined;
	/** The ports that were the lowest and are it no more, or are it now without having been added, since this was last asked. */
	changed(): readonly { readonly container: string; readonly ports: readonly number[] }[];
	clear(): void;
}

interface Ports {
	/** How many listeners each has. */
	readonly counts: Map<number, number>;
	lowest: number;
}

export function createLowest(): Lowest {
	const known = new Map<string, Ports>();
	let changes = new Map<string, Set<number>>();

	const note = (container: string, port: number) => {
		if (Number.isFinite(port)) changes.set(container, (changes.get(container) ?? new Set<number>()).add(port));
	};

	return {
		add(container, port) {
			const ports = known.get(container) ?? { counts: new Map<number, number>(), lowest: Number.POSITIVE_INFINITY };
			known.set(container, ports);
			ports.counts.set(port, (ports.counts.get(port) ?? 0) + 1);
			if (port >= ports.lowest) return;
			note(container, ports.lowest);
			ports.lowest = port;
		},
		delete(container, port) {
			const ports = known.get(container);
			const count = ports?.counts.get(port);
			if (ports === undefined || count === undefined) return;
			if (count > 1) {
				ports.counts.set(port, count - 1);
				return;
			}
			ports.counts.delete(port);
			if (ports.counts.size === 0) known.delete(container);
			if (port !== ports.lowest) return;
			ports.lowest = Number.POSITIVE_INFINITY;
			for (const other of ports.counts.keys()) ports.lowest = Math.min(ports.lowest, other);
			note(container, ports.lowest);
		},
		of: (container) => known.get(container)?.lowest,
		changed() {
			const told = [...changes].map(([container, ports]) => ({ container, ports: [...ports] }));
			changes = new Map();
			return told;
		},
		clear() {
			known.clear();
			changes = new Map();
		},
	};
}
