/** `GET /v1/explain`: reads the question from the query. Knows of the daemon what its view shows. */

import type { Question } from "./explain-view.js";
import { listed } from "./what.js";

/** Longest word that is looked for: a container's id has 64 characters, a name at most 256. */
const MAX_WORD = 512;

const KEYS = ["what", "port", "pid", "netns", "container", "service"] as const;
const NUMBERS: readonly string[] = ["port", "pid"];

export type Asked =
	/** `question` is undefined where nothing is asked in particular. */
	{ readonly ok: true; readonly question: Question | undefined } | { readonly ok: false; readonly error: string };

/** What a query asks; anything but one key with one word, or none at all, is refused in one sentence. */
export function questionOf(query: URLSearchParams): Asked {
	const given = [...query];
	const [first] = given;
	if (first === undefined) return { ok: true, question: undefined };
	if (given.length > 1) return refuse(`one of ${listed(KEYS)} at a time, not ${given.length} parameters`);
	const [key, what] = first;
	const known = KEYS.find((one) => one === key);
	if (known === undefined) return refuse(`takes ${listed(KEYS)}, no other parameter`);
	if (what === "") return refuse(`${known} is empty`);
	if (what.length > MAX_WORD) return refuse(`${known} is longer than ${MAX_WORD} characters`);
	if (NUMBERS.includes(known) && !/^\d{1,10}$/.test(what)) return refuse(`${known} must be a whole number`);
	return { ok: true, question: { what, as: known === "what" ? undefined : known } };
}

const refuse = (error: string): Asked => ({ ok: false, error });
