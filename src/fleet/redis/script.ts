/** A script that Redis runs for us, at once and by itself. Pure. */

import { createHash } from "node:crypto";

export interface Script {
	readonly text: string;
	/** By which Redis knows one that it was given before. */
	readonly sha1: string;
}

/** @param text Lua, for Redis 6.2 and later */
export function script(text: string): Script {
	return { text, sha1: createHash("sha1").update(text).digest("hex") };
}
