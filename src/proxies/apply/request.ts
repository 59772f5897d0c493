/**
 * What the daemon hands to root, and what it gets back: one file each way, written in one go. The request lies in the
 * daemon's state folder and is nobody's word; the result lies where only root writes. Knows nothing of how either is
 * carried out.
 */

import { randomUUID } from "node:crypto";
import { constants, lstat, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, SolistendError } from "../../errors.js";
import { MAX_TEXT } from "../allowed.js";
import type { Outcome } from "../driver.js";

/** Where results are left, each under its proxy's name; made by solistend-apply@.service. */
export const RESULTS = "/run/solistend-apply";

/** Text in JSON takes more room: a newline or a tab is two characters. */
const MAX_REQUEST = 2 * MAX_TEXT;
const MAX_RESULT = 1024 * 1024;

const request = z.strictObject({
	/** Tells this one from all others. */
	id: z.uuid(),
	/** The new text; absent when the file is right already and the proxy has not read it. */
	text: z.string().max(MAX_TEXT).optional(),
	/** Whether the proxy is to read it. */
	reload: z.boolean(),
	/** Without a reload: whether the new text counts as not read. */
	unconfirmed: z.boolean(),
});
export type ApplyRequest = z.output<typeof request>;

const stagesMs = z.partialRecord(z.enum(["runtime", "stage", "check", "swap", "reload", "verify"]), z.number());
const result = z.strictObject({
	/** Of the request. */
	id: z.string(),
	outcome: z.discriminatedUnion("kind", [
		z.strictObject({ kind: z.literal("applied"), stagesMs }),
		z.strictObject({
			kind: z.literal("failed"),
			stage: z.enum(["runtime", "stage", "check", "swap", "reload", "verify"]),
			code: z.enum(["config", "privilege", "unsupported", "proxy"]),
			message: z.string(),
			serving: z.string(),
			stagesMs,
		}),
	]),
});
export type ApplyResult = z.output<typeof result>;

const requestFile = (state: string, proxy: string) => join(state, proxy, "candidate.json");
const resultFile = (results: string, proxy: string) => join(results, `${proxy}.json`);

/** Leaves a request, in place of the last one; its id. @throws SolistendError when it can't be written. */
export async function leaveRequest(state: string, proxy: string, what: Omit<ApplyRequest, "id">): Promise<string> {
	const path = requestFile(state, proxy);
	const id = randomUUID();
	try {
		await mkdir(dirname(path), { recursive: true, mode: 0o700 });
		await replace(path, JSON.stringify({ id, ...what }), { mode: 0o600 });
	} catch (error) {
		throw new SolistendError("proxy", `cannot leave the new file at ${path}: ${messageOf(error)} (look at state)`, {
			cause: error,
		});
	}
	return id;
}

/**
 * The request of a proxy, and whose it is. Whatever may be in its place: nothing is read but a plain file of the state
 * folder's owner that has no other name, so that nobody learns by it what they could not read themselves.
 *
 * @throws SolistendError when there is none, or it is not what it should be.
 */
export async function takeRequest(
	state: string,
	proxy: string,
): Promise<{ readonly request: ApplyRequest; readonly gid: number }> {
	const path = requestFile(state, proxy);
	const refused = (why: string) => new SolistendError("proxy", `cannot take the request ${path}: ${why}`);
	const owner = await lstat(state).catch((error: unknown) => {
		throw refused(messageOf(error));
	});
	// Not through a link, and without waiting for the other end of a pipe.
	const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
	const file = await open(path, flags).catch((error: unknown) => {
		throw refused(messageOf(error));
	});
	try {
		const found = await file.stat();
		const { size, uid, nlink } = found;
		if (!found.isFile() || nlink !== 1 || uid !== owner.uid) {
			throw refused(`it is no plain file of the user who owns ${state}`);
		}
		if (size > MAX_REQUEST) throw refused(`it is larger than ${MAX_REQUEST} bytes`);
		const bytes = Buffer.alloc(size);
		const { bytesRead } = await file.read(bytes, 0, size, 0);
		// What a parser says of a text repeats some of it.
		const parsed = request.safeParse(jsonOf(bytes.subarray(0, bytesRead)));
		if (!parsed.success) throw refused("it is not of the form that this version leaves (restart solistend)");
		return { request: parsed.data, gid: owner.gid };
	} finally {
		await file.close();
	}
}

/** Leaves a result for the daemon's group alone: it repeats what a check said, of files that are perhaps root's. */
export async function leaveResult(results: string, proxy: string, what: ApplyResult, gid: number): Promise<void> {
	await mkdir(results, { recursive: true, mode: 0o755 });
	await replace(resultFile(results, proxy), JSON.stringify(what), { mode: 0o640, gid });
}

/** The result of a proxy's last request; undefined when there is none that can be read. */
export async function readResult(results: string, proxy: string): Promise<ApplyResult | undefined> {
	const text = await readFile(resultFile(results, proxy)).catch(() => undefined);
	if (text === undefined || text.length > MAX_RESULT) return undefined;
	return result.safeParse(jsonOf(text)).data;
}

export function resultOf(id: string, outcome: Outcome): ApplyResult {
	if (outcome.kind === "applied") return { id, outcome };
	const { error, ...rest } = outcome;
	const { code, message } = error;
	const isKnown = code === "config" || code === "privilege" || code === "unsupported";
	return { id, outcome: { ...rest, code: isKnown ? code : "proxy", message } };
}

export function outcomeOf({ outcome }: ApplyResult): Outcome {
	if (outcome.kind === "applied") return outcome;
	const { code, message, ...rest } = outcome;
	return { ...rest, error: new SolistendError(code, message) };
}

/** In the same folder and by renaming, so that nobody reads half of it. */
async function replace(path: string, text: string, { mode, gid }: { mode: number; gid?: number }): Promise<void> {
	const fresh = `${path}.new`;
	await rm(fresh, { force: true });
	const file = await open(fresh, "wx", mode);
	try {
		await file.writeFile(text);
		if (gid !== undefined) await file.chown(0, gid);
		await file.chmod(mode);
	} finally {
		await file.close();
	}
	await rename(fresh, path);
}

function jsonOf(bytes: Buffer): unknown {
	try {
		return JSON.parse(bytes.toString());
	} catch {
		return undefined;
	}
}
