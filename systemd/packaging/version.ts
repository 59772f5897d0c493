/** What the package is called and dated by: package.json, and the time of the last commit. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import type { Architecture } from "./platform.js";

export interface Facts {
	/** As in package.json. */
	readonly version: string;
	/** One line. */
	readonly description: string;
	/** Seconds since 1970 of all that the package has a time for. */
	readonly epoch: number;
}

/** All that a package is told apart by. */
export interface Edition extends Facts {
	/** Debian's. */
	readonly version: string;
	/** That of package.json. */
	readonly upstream: string;
	readonly architecture: Architecture;
}

const packageSchema = z.object({ version: z.string(), description: z.string() });

/** @throws when there is neither SOURCE_DATE_EPOCH nor a history */
export async function packageFacts(repository: string): Promise<Facts> {
	const facts = packageSchema.parse(JSON.parse(await readFile(join(repository, "package.json"), "utf8")));
	return { ...facts, epoch: Number(process.env["SOURCE_DATE_EPOCH"] ?? (await lastCommit(repository))) };
}

async function lastCommit(repository: string): Promise<string> {
	const { stdout, failed } = await execa("git", ["log", "-1", "--format=%ct"], { cwd: repository, reject: false });
	if (failed)
		throw new Error("there is no commit to date the package by (set SOURCE_DATE_EPOCH to seconds since 1970)");
	return stdout;
}

/** Debian's version of one of npm's: `1.0.0-rc.1` comes before `1.0.0`, and so does `1.0.0~rc.1-1`. */
export const debianVersion = (version: string): string => `${version.replace("-", "~").replace("+", ".")}-1`;
