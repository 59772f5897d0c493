/** Where the files of systemd/ go, by their kind. Knows nothing of what is in them. */

import { cp, mkdir, readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** By the end of a file's name: folder in the package, and its name there where that is another one. */
const PLACES = [
	{ ending: /\.(service|socket|path|timer|target)$/, folder: "usr/lib/systemd/system" },
	{ ending: /\.sysusers$/, folder: "usr/lib/sysusers.d", name: "solistend.conf" },
	{ ending: /\.tmpfiles$/, folder: "usr/lib/tmpfiles.d", name: "solistend.conf" },
	// Settings for a unit of somebody else's, in a folder by its name.
	{ ending: /\.service\.d\/[^/]+\.conf$/, folder: "usr/lib/systemd/system" },
	{ ending: /\.rules$/, folder: "usr/share/polkit-1/rules.d" },
] as const;

/** @throws when a file is of a kind that has no place, so that none is forgotten */
export async function copyUnits(from: string, root: string): Promise<void> {
	for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
		const path = relative(from, join(entry.parentPath, entry.name));
		if (!entry.isFile() || path.startsWith("packaging/")) continue;
		const place = PLACES.find(({ ending }) => ending.test(path));
		if (place === undefined) throw new Error(`systemd/${path} has no place in the package (see units.ts)`);
		const to = join(root, place.folder, "name" in place ? place.name : path);
		await mkdir(dirname(to), { recursive: true });
		await cp(join(from, path), to);
	}
}
