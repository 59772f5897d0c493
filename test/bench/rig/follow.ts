/** What a sensor tells of some namespaces, and what the table makes of it, as in the daemon. Knows nothing of who floods them. */

import { createTable, type Merged } from "../../../src/listeners/table.js";
import type { Losses, Sensor } from "../../../src/sensor/sensor.js";
import { eventually } from "../../host/eventually.js";
import { monotonicMs } from "./probe.js";
import { differenceOf } from "./same.js";
import { openSensor } from "./sensor.js";

export interface Followed extends AsyncDisposable {
	/** Listeners that came and went so far, in any namespace: as many as were told. */
	received(): number;
	losses(): Losses;
	/**
	 * Resolves once the table says of the namespaces what the kernel says, with the time of the last change that it took for
	 * that: others may listen and close, and reads may find nothing new, long after.
	 */
	same(truth: ReadonlySet<string>): Promise<number>;
}

/** @param namespaces by inode number */
export function follow(namespaces: ReadonlySet<number>): Followed {
	const table = createTable();
	let received = 0;
	let changedMs = monotonicMs();
	const take = ({ changes, again }: Merged) => {
		if (changes.some(({ endpoint }) => namespaces.has(endpoint.sockets[0].netnsInode))) changedMs = monotonicMs();
		if (again) sensor?.requestRead();
	};
	let sensor: Sensor | undefined;
	const opened = openSensor({
		onEvents(events) {
			received += events.filter(({ kind }) => kind === "listen" || kind === "close").length;
			take(table.fold(events));
		},
		onRead: (read) => take(table.merge(read)),
		onTrouble() {},
	});
	sensor = opened;
	return {
		received: () => received,
		losses: opened.losses,
		same: (truth) =>
			eventually("the table is the kernel's", () => {
				const { missing, stale } = differenceOf(table.sockets(), truth, namespaces);
				return missing === 0 && stale === 0 && changedMs;
			}),
		[Symbol.asyncDispose]: opened.close,
	};
}
