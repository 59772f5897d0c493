/** How many listeners came and went on this machine, by a BPF program of its own (native/changes.bpf.c), which loses none. */

import { nativeBpf } from "./native.js";
import { openObject, readSingle } from "./sensor.js";

export interface ChangeCounter extends Disposable {
	/** Since it was started. */
	read(): number;
}

export async function countChanges(): Promise<ChangeCounter> {
	const object = openObject(await nativeBpf("changes"));
	try {
		object.attach("count_changes");
	} catch (error) {
		object.close();
		throw error;
	}
	return {
		read() {
			const count = Buffer.alloc(8);
			readSingle(object.mapFd("changes"), count);
			return Number(count.readBigUInt64LE());
		},
		[Symbol.dispose]: object.close,
	};
}
