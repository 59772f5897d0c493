/** The wall clock of a redis-server, which can be stepped while it runs; that of everybody else stays (native/ahead.c). */

import { open } from "node:fs/promises";
import { join } from "node:path";
import { nativeLibrary } from "./native.js";

export interface RedisClock {
	/** For the environment of the server. */
	readonly env: Readonly<Record<string, string>>;
	/** Sets it so far ahead of the machine's, in milliseconds; behind it, where negative. */
	step(aheadMs: number): Promise<void>;
}

/** @param folder for its file */
export async function redisClock(folder: string): Promise<RedisClock> {
	const file = join(folder, "ahead");
	const step = async (aheadMs: number) => {
		const bytes = Buffer.alloc(8);
		bytes.writeBigInt64LE(BigInt(aheadMs));
		// In place: the server has the file in its memory.
		const handle = await open(file, "a+").then(async (made) => {
			await made.close();
			return open(file, "r+");
		});
		await handle.write(bytes, 0, 8, 0);
		await handle.close();
	};
	await step(0);
	return { env: { LD_PRELOAD: await nativeLibrary("ahead"), AHEAD_FILE: file }, step };
}
