/** The demo's folder under /run, and those that crashed demos left there. */

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAbandoned, ownerMark } from "../host/owner.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";

/** Root's, unlike /tmp: what root runs from there, nobody else prepared. */
const PARENT = "/run";
const NAME = "solistend-demo";
const OWNER_FILE = "owner";

/** Makes a folder for this process, and removes those of demos that are gone. */
export async function demoFolder(): Promise<TempFolder> {
	for (const name of await readdir(PARENT)) {
		if (!name.startsWith(`${NAME}-`)) continue;
		const path = join(PARENT, name);
		const mark = await readFile(join(path, OWNER_FILE), "utf8").catch(() => undefined);
		if (isAbandoned(mark)) await rm(path, { recursive: true, force: true });
	}
	const folder = await tempFolder(NAME, PARENT);
	await writeFile(join(folder.path, OWNER_FILE), ownerMark());
	return folder;
}
