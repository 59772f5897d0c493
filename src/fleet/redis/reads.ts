/**
 * Reads of hosts, a few at once and one lot after the other: whoever is wanted twice meanwhile is read once. What the stream
 * tells of a host that is being read is held back until that is done. Knows nothing of what is read.
 */

export interface ReadsOptions<Found, Entry> {
	/** Reads some hosts, in their order. */
	ask(hosts: readonly string[]): Promise<readonly Found[]>;
	/** One lot is read; `held` are the entries that came meanwhile, in order. */
	onRead(lot: readonly { readonly host: string; readonly found: Found; readonly held: readonly Entry[] }[]): void;
	/** Nobody is wanted any more. */
	onIdle(): void;
	/** A lot could not be read; nobody is wanted any more, and all must be read some time. */
	onTrouble(error: unknown): void;
}

export interface Reads<Entry> {
	want(hosts: Iterable<string>): void;
	/** Keeps an entry for as long as its host is being read; false: it is not. */
	hold(host: string, entry: Entry): boolean;
	readonly isIdle: boolean;
	/** Forgets who is wanted. */
	drop(): void;
}

interface Lot<Found> {
	readonly hosts: readonly string[];
	readonly found: readonly Found[];
}

/** Hosts in one lot: a few milliseconds of work here and in Redis, which does nothing else meanwhile. */
const LOT = 20;
/** Entries of one host that are held; one that has more is read again. */
const MAX_HELD = 256;

export function createReads<Found, Entry>(options: ReadsOptions<Found, Entry>): Reads<Entry> {
	const wanted = new Set<string>();
	/** Of those that are wanted or being read. */
	const held = new Map<string, Entry[]>();
	let isRunning = false;
	/** What was asked for in an earlier round is not taken. */
	let round = 0;

	const drop = () => {
		round++;
		wanted.clear();
		held.clear();
		isRunning = false;
	};
	const askNext = async (): Promise<Lot<Found>> => {
		const hosts: string[] = [];
		for (const host of wanted) {
			if (hosts.length === LOT) break;
			hosts.push(host);
			wanted.delete(host);
		}
		return { hosts, found: hosts.length === 0 ? [] : await options.ask(hosts) };
	};
	/** Ends the holding of each that is not wanted again. */
	const release = ({ hosts, found }: Lot<Found>) =>
		hosts.flatMap((host, at) => {
			const one = found[at];
			const entries = held.get(host) ?? [];
			if (wanted.has(host)) held.set(host, []);
			else held.delete(host);
			return one === undefined ? [] : [{ host, found: one, held: entries }];
		});
	const run = async () => {
		const mine = round;
		// Those that are wanted at once go together.
		await Promise.resolve();
		let next = askNext();
		while (mine === round) {
			const lot = await next;
			if (mine !== round) return;
			if (lot.hosts.length === 0 && wanted.size === 0) break;
			const read = release(lot);
			// On its way while this one is worked on.
			next = askNext();
			options.onRead(read);
		}
		if (mine !== round) return;
		isRunning = false;
		options.onIdle();
	};

	return {
		want(hosts) {
			for (const host of hosts) {
				wanted.add(host);
				if (!held.has(host)) held.set(host, []);
			}
			if (isRunning || wanted.size === 0) return;
			isRunning = true;
			const mine = round;
			run().catch((error: unknown) => {
				if (mine !== round) return;
				drop();
				options.onTrouble(error);
			});
		},
		hold(host, entry) {
			const entries = held.get(host);
			if (entries === undefined) return false;
			if (entries.length < MAX_HELD) entries.push(entry);
			else wanted.add(host);
			return true;
		},
		get isIdle() {
			return !isRunning;
		},
		drop,
	};
}
