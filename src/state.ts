/**
 * What must outlive the daemon: the operator's word on backends, and the services that exist by label, as `state.json` in a
 * folder of its own. Never fatal: without the folder the daemon goes on, and what was said lasts until it ends. Knows
 * nothing of what a hold does.
 */

import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { z } from "zod";
import { type Hold, parseBackendId } from "./backends/backend.js";
import type { LabelService } from "./backends/labels/decide.js";
import { messageOf } from "./errors.js";
import { isCode, syncFolder } from "./files.js";
import type { OfferedService } from "./fleet/offer.js";

const VERSION = 1;

const serviceSchema = z.object({
	name: z.string().min(1),
	mode: z.enum(["http", "tcp"]),
	hosts: z.array(z.string()),
	drainTimeout: z.number().min(0),
});

const fileSchema = z.object({
	version: z.literal(VERSION),
	holds: z.array(
		z.object({
			service: z.string().min(1),
			id: z.string().transform((text, { addIssue }) => {
				const id = parseBackendId(text);
				if (id !== undefined) return id;
				addIssue("must be address:port");
				return z.NEVER;
			}),
			state: z.enum(["drain", "down"]),
		}),
	),
	/** Absent in the file of a version that had none. */
	services: z.array(serviceSchema.extend({ order: z.number().min(1) })).default([]),
	/** Those of other hosts; likewise. */
	remote: z.array(serviceSchema).default([]),
});

/** What is kept. */
export interface Remembered {
	readonly holds: readonly Hold[];
	/** The services that exist by label. */
	readonly services: readonly LabelService[];
	/** The same of other hosts. */
	readonly remote?: readonly OfferedService[];
}

const remembered = ({ holds, services, remote }: z.output<typeof fileSchema>): Remembered => ({
	holds,
	services,
	...(remote.length > 0 && { remote }),
});

/** Of one that was never written. */
export const NOTHING: Remembered = { holds: [], services: [] };

/** The file in a state folder. */
export const stateFile = (folder: string): string => join(folder, "state.json");

/** What was kept when the last daemon ended. A missing folder and a damaged file are told in the log. */
export async function loadState(folder: string, log: Logger): Promise<Remembered> {
	const file = stateFile(folder);
	let text: string;
	try {
		text = await readFile(file, "utf8");
	} catch (error) {
		if (!isCode(error, "ENOENT")) log.warn({ reason: messageOf(error) }, `cannot read ${file}: nothing is remembered`);
		else if (!(await exists(folder)))
			log.warn(`what is held by hand, and services by label, last until the daemon ends: ${noFolder(folder)}`);
		return NOTHING;
	}
	const parsed = fileSchema.safeParse(asJson(text));
	if (parsed.success) return remembered(parsed.data);
	const kept = `${file}.damaged`;
	const where = await rename(file, kept).then(
		() => `kept as ${kept}`,
		(error: unknown) => `not moved aside: ${messageOf(error)}`,
	);
	const mend = `hold again what you need; the file is ${where}`;
	log.error({ file: kept }, `${file} is damaged: nothing is remembered (${mend})`);
	return NOTHING;
}

/** The same without a word, and without touching the file: for those who only look. Nothing where it can't be read. */
export async function peekState(folder: string): Promise<Remembered> {
	const text = await readFile(stateFile(folder), "utf8").catch(() => "");
	const parsed = fileSchema.safeParse(asJson(text));
	return parsed.success ? remembered(parsed.data) : NOTHING;
}

/**
 * Writes what is to be kept, so that at every moment the old or the new file is there in full.
 *
 * @returns why it could not, as a clause with its mend; undefined when it is written.
 */
export async function saveState(
	folder: string,
	{ holds, services, remote = [] }: Remembered,
): Promise<string | undefined> {
	const file = stateFile(folder);
	const staged = `${file}.new`;
	try {
		await rm(staged, { force: true });
		// exclusive: never through a link that somebody put there
		const handle = await open(staged, "wx", 0o640);
		try {
			const listed = holds.map(({ service, id, state }) => ({ service, id, state }));
			const others = remote.length > 0 ? { remote } : {};
			await handle.writeFile(
				`${JSON.stringify({ version: VERSION, holds: listed, services, ...others }, null, "\t")}\n`,
			);
			await handle.sync();
		} finally {
			await handle.close();
		}
		await rename(staged, file);
		await syncFolder(file);
		return undefined;
	} catch (error) {
		await rm(staged, { force: true }).catch(() => {});
		if (isCode(error, "ENOENT")) return noFolder(folder);
		return `${file} cannot be written: ${messageOf(error)} (let the daemon's user write in ${folder})`;
	}
}

const noFolder = (folder: string) => `the folder ${folder} does not exist (create it, or name another one as state)`;

const exists = (folder: string): Promise<boolean> =>
	open(folder, "r").then(
		async (handle) => {
			await handle.close();
			return true;
		},
		() => false,
	);

function asJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
