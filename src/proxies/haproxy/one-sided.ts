/**
 * What only one of HAProxy and solistend has, or has in: told once it lasts. Knows nothing of what the kernel said when.
 */

import type { Compared } from "../driver.js";

/** A server of HAProxy's, in whatever backend. */
export interface SeenServer {
	/** `backend/server`. */
	readonly name: string;
	/** `address:port`, as a backend's id. */
	readonly address: string;
	/** Whether HAProxy sends anything to it. */
	readonly up: boolean;
	readonly inMaintenance: boolean;
	/** Whether HAProxy's own checks of it run. */
	readonly checked: boolean;
}

/** A backend that solistend has. */
export interface KnownBackend {
	readonly service: string;
	readonly id: string;
	/** False once it closed, also while it stays as the last one. */
	readonly listens: boolean;
}

/** Names that one side has and the other has not. */
type Lists = Pick<Compared, "onlyInProxy" | "onlyInSolistend" | "downInProxy" | "unchecked">;

export interface OneSidedLine {
	readonly kind: "list";
	readonly list: keyof Lists;
	readonly names: readonly string[];
}

export interface OneSided {
	/**
	 * Takes in what both have at a look. A list is told once it is the same at two looks: what is just changing is no news.
	 *
	 * @param isChanging whether the two may come to agree on a server by themselves
	 */
	looked(
		servers: readonly SeenServer[],
		backends: readonly KnownBackend[],
		isChanging: (server: string) => boolean,
	): OneSidedLine[];
	/** The lists as they were told last. */
	readonly told: Lists;
}

const NO_LISTS: Lists = { onlyInProxy: [], onlyInSolistend: [], downInProxy: [], unchecked: [] };
const LIST_NAMES = ["onlyInProxy", "onlyInSolistend", "downInProxy", "unchecked"] as const;

export function createOneSided(): OneSided {
	let lists: Lists = NO_LISTS;
	let told: Lists = NO_LISTS;
	return {
		looked(servers, backends, isChanging) {
			const before = lists;
			const now = listsOf(servers, backends, isChanging);
			lists = now;
			return LIST_NAMES.flatMap((list): OneSidedLine[] => {
				if (!isSame(now[list], before[list]) || isSame(now[list], told[list])) return [];
				told = { ...told, [list]: now[list] };
				return [{ kind: "list", list, names: now[list] }];
			});
		},
		get told() {
			return told;
		},
	};
}

function listsOf(
	servers: readonly SeenServer[],
	backends: readonly KnownBackend[],
	isChanging: (server: string) => boolean,
): Lists {
	const addresses = new Set(servers.map(({ address }) => address));
	const ids = new Set(backends.flatMap(({ id, listens }) => (listens ? [id] : [])));
	const settled = servers.filter(({ name }) => !isChanging(name));
	const names = (of: readonly SeenServer[]) => of.map(({ name }) => name).sort();
	return {
		onlyInProxy: names(settled.filter(({ up, address }) => up && !ids.has(address))),
		onlyInSolistend: backends
			.filter(({ id, listens }) => listens && !addresses.has(id))
			.map(({ service, id }) => `${service}/${id}`)
			.sort(),
		downInProxy: names(settled.filter(({ up, address }) => !up && ids.has(address))),
		unchecked: names(servers.filter(({ checked, address }) => !checked && ids.has(address))),
	};
}

const isSame = (a: readonly string[], b: readonly string[]) =>
	a.length === b.length && a.every((one, i) => one === b[i]);
