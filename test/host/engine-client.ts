/** The engine client under test, with all that it said: changes, and lines of its log. */

import { pino } from "pino";
import type { Container, ContainerChange, Engine } from "../../src/identity/container.js";
import { openEngine } from "../../src/identity/engine/engine.js";
import { eventually } from "./eventually.js";

export interface EngineClient extends AsyncDisposable {
	readonly engine: Engine;
	readonly changes: readonly ContainerChange[];
	/** Lines of the log at a level: 30 info, 40 warning. */
	lines(level: 30 | 40): readonly { readonly msg: string; readonly reason?: string }[];
	/** Resolves when a lookup gives a container that is as wanted; the default is one that an inspect told of. */
	knows(id: string, isIt?: (container: Container) => boolean): Promise<Container>;
	/** Resolves when a lookup waits, for a reason that has these words. */
	waits(id: string, words: string): Promise<string>;
	/** Resolves when there is such a change at or after the position `from`. */
	told(what: (change: ContainerChange) => boolean, from?: number): Promise<ContainerChange>;
}

export function openClient(socket: string): EngineClient {
	const changes: ContainerChange[] = [];
	const log: { level: number; msg: string; reason?: string }[] = [];
	const engine = openEngine({
		socket,
		log: pino({ base: null }, { write: (line: string) => void log.push(JSON.parse(line)) }),
		onChange: (news) => changes.push(...news),
	});
	return {
		engine,
		changes,
		lines: (level) => log.filter((line) => line.level === level),
		knows: (id, isIt = ({ env }) => env !== undefined) =>
			eventually(`${id.slice(0, 12)} is known as wanted`, () => {
				const found = engine.lookup(id);
				return found.state === "known" && isIt(found.container) ? found.container : undefined;
			}),
		waits: (id, words) =>
			eventually(`${id.slice(0, 12)} waits: ${words}`, () => {
				const found = engine.lookup(id);
				return found.state === "waiting" && found.why.includes(words) ? found.why : undefined;
			}),
		told: (what, from = 0) => eventually("a change is told", () => changes.slice(from).find(what)),
		[Symbol.asyncDispose]: () => engine.close(),
	};
}
