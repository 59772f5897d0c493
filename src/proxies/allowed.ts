/**
 * What a file may say that root puts in place for the daemon: the directives that a drop-in of backends (HAProxy) or of
 * upstreams (Nginx) needs, and no other. A file that a proxy's master reads as root amounts to root otherwise: by a program
 * to start, a module to load, a file to write. Pure. All text that is not understood is refused.
 *
 * Whoever wrote the text may be hostile. The configuration is root's: what stands in its `options`, and the directives
 * that its `allowDirectives` names, are root's own word.
 */

import type { Options } from "../config/schema.js";
import { forbiddenInHaproxy } from "./allowed-haproxy.js";
import { forbiddenInNginx } from "./allowed-nginx.js";

/** What root says besides, in the configuration. */
export interface Trusted {
	/** Directives that may be there with any arguments. */
	readonly directives: ReadonlySet<string>;
	/** Texts that may be there as they are: whole lines, or the end of a server's line. */
	readonly texts: ReadonlySet<string>;
}

/** A line, from 1, and what is wrong with it, as a clause. */
export interface Forbidden {
	readonly line: number;
	readonly why: string;
}

/** More than a file for 50,000 servers. */
export const MAX_TEXT = 16 * 1024 * 1024;

/** The texts among the options of a proxy and of services. */
export function trustedTexts(options: readonly Options[]): ReadonlySet<string> {
	const values = options.flatMap((one) => Object.values(one)).flat();
	return new Set(values.flatMap((value) => (typeof value === "string" && value.trim() !== "" ? value.trim() : [])));
}

/** The first thing in a text that may not be there; undefined: all of it may. */
export function forbiddenIn(type: "haproxy" | "nginx", text: string, trusted: Trusted): Forbidden | undefined {
	const control = text.search(CONTROL);
	if (control >= 0) return { line: lineAt(text, control), why: "it has a control character" };
	switch (type) {
		case "haproxy":
			return forbiddenInHaproxy(text, trusted);
		case "nginx":
			return forbiddenInNginx(text, trusted);
		default:
			return type satisfies never;
	}
}

/** All but tab and newline. A carriage return would end a line for one reader and not for another. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

function lineAt(text: string, index: number): number {
	return text.slice(0, index).split("\n").length;
}
