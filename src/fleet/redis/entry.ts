/** An entry of the stream of changes, read with distrust. Pure. */

import { NAME } from "../../config/rules.js";
import { ENTRY, type EntryKind, LONGEST_DELTA } from "./keys.js";
import type { Version } from "./versions.js";
import { LONGEST_ABOUT, type Read } from "./wire.js";

export interface ChangeEntry {
	readonly host: string;
	readonly version: Version;
	/** When it was told, in milliseconds of Redis' clock. */
	readonly atMs: number | undefined;
	/** `unknown`: of a later version of solistend; what it did is read. */
	readonly kind: EntryKind | "unknown";
	readonly payload: string;
}

const KINDS: ReadonlyMap<string, EntryKind> = new Map(
	(["delta", "whole", "about", "bye"] as const).map((kind) => [kind, kind]),
);

const INTEGER = /^\d{1,15}$/;

/** @param fields name, value, name, value, … */
export function readEntry(fields: readonly string[]): Read<ChangeEntry> {
	const field = (name: string) => {
		const at = fields.findIndex((text, index) => index % 2 === 0 && text === name);
		return at === -1 ? "" : (fields[at + 1] ?? "");
	};
	const host = field(ENTRY.host);
	if (!NAME.test(host)) return { ok: false, why: `${ENTRY.host} is not the name of a host` };
	const [incarnation, sequence, at] = [field(ENTRY.incarnation), field(ENTRY.sequence), field(ENTRY.time)];
	if (!INTEGER.test(incarnation) || !INTEGER.test(sequence)) {
		return { ok: false, why: `${ENTRY.incarnation} and ${ENTRY.sequence} are not both numbers` };
	}
	const payload = field(ENTRY.payload);
	return {
		ok: true,
		value: {
			host,
			version: { incarnation: Number(incarnation), sequence: Number(sequence) },
			atMs: INTEGER.test(at) ? Number(at) : undefined,
			kind: KINDS.get(field(ENTRY.kind)) ?? "unknown",
			// What is too long is not kept: the host is read instead.
			payload: payload.length > Math.max(LONGEST_DELTA, LONGEST_ABOUT) ? "" : payload,
		},
	};
}
