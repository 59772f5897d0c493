/** package-lock.json as the package needs it: what runs in production, and where it is pinned. Knows nothing of Debian. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const lockSchema = z.object({
	packages: z.record(
		z.string(),
		z.object({
			version: z.string().default(""),
			integrity: z.string().default(""),
			dev: z.boolean().default(false),
			optional: z.boolean().default(false),
			devOptional: z.boolean().default(false),
		}),
	),
});

type Locked = z.infer<typeof lockSchema>["packages"];

const lockOf = async (repository: string): Promise<Locked> =>
	lockSchema.parse(JSON.parse(await readFile(join(repository, "package-lock.json"), "utf8"))).packages;

/** Paths such as `node_modules/yaml` of all that production needs on every platform, in order. */
export async function productionPackages(repository: string): Promise<string[]> {
	const entries = Object.entries(await lockOf(repository));
	return entries
		.filter(([path, { dev, optional, devOptional }]) => path !== "" && !dev && !optional && !devOptional)
		.map(([path]) => path)
		.sort();
}

/** @throws when the lock file has no such package */
export async function lockedPackage(repository: string, path: string): Promise<{ version: string; integrity: string }> {
	const locked = (await lockOf(repository))[path];
	if (locked === undefined) throw new Error(`package-lock.json has no ${path}`);
	return locked;
}
