/** Puts a new file in the place of another in one step, as editors and configuration management do: nobody reads half of it. */

import { rename, writeFile } from "node:fs/promises";

export async function replaceFile(path: string, text: string): Promise<void> {
	await writeFile(`${path}.new`, text);
	await rename(`${path}.new`, path);
}
