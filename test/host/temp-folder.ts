/** A folder of its own for each use, removed with all that is in it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempFolder extends AsyncDisposable {
	readonly path: string;
	close(): Promise<void>;
}

/** Makes a new folder, `/tmp/NAME-XXXXXX` unless told another parent. */
export async function tempFolder(name = "solistend-test", parent = tmpdir()): Promise<TempFolder> {
	const path = await mkdtemp(join(parent, `${name}-`));
	const close = () => rm(path, { recursive: true, force: true });
	return { path, close, [Symbol.asyncDispose]: close };
}
