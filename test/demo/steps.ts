/** What stories are made of: waiting for a change, and looking who answers. */

import type { Daemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { type Applied, appliedWith } from "./events.js";
import type { Screen } from "./screen.js";

/** How often to ask when looking who answers; the client takes turns, too, so that more can be needed. */
const ROUND = 6;
const MAX_ROUND = 60;

/** The change of the proxy that brings or takes a backend, from now on. */
export async function change(
	daemon: Daemon,
	list: "joined" | "left",
	backend: string,
	signal: AbortSignal,
): Promise<Applied> {
	const from = daemon.lines.length;
	const line = await daemon.waitFor((line) => appliedWith(line, list, backend) !== undefined, { from, signal });
	const applied = appliedWith(line, list, backend);
	if (applied === undefined) throw new Error(`${backend} neither joined nor left`);
	return applied;
}

/** When a server of this name first answered, in milliseconds since the epoch. */
export function firstAnswer(url: string, name: string, signal: AbortSignal): Promise<number> {
	return eventually(
		`${url} answers from ${name}`,
		async () => {
			const { status, body } = await ask(url);
			return status === 200 && body === `hello from ${name}\n` && Date.now();
		},
		{ everyMs: 2, signal },
	);
}

/** Asks until each of the names has answered. @throws Error when one does not, or anyone else does */
export async function lookWho(url: string, screen: Screen, expected: readonly string[]): Promise<void> {
	const names: string[] = [];
	const isSeen = () => expected.every((name) => names.includes(name));
	while (names.length < ROUND || (!isSeen() && names.length < MAX_ROUND)) names.push(await nameOfAnswer(url));
	screen.line("curl", `${names.length} times: ${names.join(" ")}`);
	if (isSeen() && names.every((name) => expected.includes(name))) return;
	throw new Error(`answers did not come from all of ${expected.join(", ")}, and from nobody else`);
}

/** Who answers: the name in its answer, or the status when that is not 200. */
export async function nameOfAnswer(url: string): Promise<string> {
	const { status, body } = await ask(url);
	return status === 200 ? body.replace("hello from ", "").trim() : String(status);
}

/** Like Promise.all, but never before the last has settled: nothing goes on behind the back of who cleans up. */
export async function all<T extends readonly Promise<unknown>[]>(...promises: T) {
	await Promise.allSettled(promises);
	return Promise.all(promises);
}
