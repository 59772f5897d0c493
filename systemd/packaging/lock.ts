/** package-lock.json as the package needs it: what is pinned, and how. Knows nothing of Debian. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const lockSchema = z.object({
	packages: z.record(
		z.string(),
		z.object({
			version: z.string().default(""),
			integrity: z.string().default(""),
		}),
	),
});

type Locked = z.infer<typeof lockSchema>["packages"];

const lockOf = async (repository: string): Promise<Locked> =>
	lockSchema.parse(JSON.parse(await readFile(join(repository, "package-lock.json"), "utf8"))).packages;

/** @throws when the lock file has no such package */
export async function lockedPackage(repository: string, path: string): Promise<{ version: string; integrity: string }> {
	const locked = (await lockOf(repository))[path];
	if (locked === undefined) throw new Error(`package-lock.json has no ${path}`);
	return locked;
}
