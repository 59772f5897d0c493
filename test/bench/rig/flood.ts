/** A program that listens and closes as fast as it can (native/flood.c), and what it says of it. */

import { startDialogue } from "./dialogue.js";
import { native } from "./native.js";

export interface Flood extends AsyncDisposable {
	/** So many listeners more come, and as many go; how many events that was, and when the last of them was over. */
	run(pairs: number): Promise<{ readonly events: number; readonly lastMs: number }>;
	/** What listens in its namespaces, as the kernel's `/proc/net/tcp` has it: `INODE:PORT`. */
	listeners(): Promise<ReadonlySet<string>>;
	close(): Promise<void>;
}

/** @param keep how many listen at any time in each of the namespaces, which it makes */
export async function startFlood(namespaces: number, keep: number): Promise<Flood> {
	const dialogue = startDialogue([await native("flood"), String(namespaces), String(keep)]);
	await dialogue.next();
	return {
		async run(pairs) {
			const [, events, lastNs] = (await dialogue.ask(`run ${pairs}`)).split(" ");
			return { events: Number(events), lastMs: Number(lastNs) / 1e6 };
		},
		async listeners() {
			const [, ...found] = (await dialogue.ask("list")).split(" ");
			return new Set(found);
		},
		close: dialogue.close,
		[Symbol.asyncDispose]: dialogue.close,
	};
}
