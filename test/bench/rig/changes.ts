/** How many listeners came and went on this machine, by a BPF program of its own (native/changes.bpf.c), which loses none. */

import { nativeBpf } from "./native.js";
import { openObject, readSingle, writeSingle } from "./sensor.js";

/** Events so far. */
export interface Changes {
	readonly ofOne: number;
	readonly ofOthers: number;
}

export interface ChangeCounter extends Disposable {
	read(): Changes;
}

/** @param pid the process whose events are counted apart */
export async function countChanges(pid: number): Promise<ChangeCounter> {
	const object = openObject(await nativeBpf("changes"));
	try {
		const one = Buffer.alloc(4);
		one.writeUInt32LE(pid);
		writeSingle(object.mapFd("one"), one);
		object.attach("count_changes");
	} catch (error) {
		object.close();
		throw error;
	}
	return {
		read() {
			const counts = Buffer.alloc(16);
			readSingle(object.mapFd("counts"), counts);
			return { ofOne: Number(counts.readBigUInt64LE()), ofOthers: Number(counts.readBigUInt64LE(8)) };
		},
		[Symbol.dispose]: object.close,
	};
}
