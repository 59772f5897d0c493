/**
 * What it takes to make HAProxy equal to a rendered file: from the file and the live state to steps. Pure. Backends and
 * servers that the file does not declare belong to somebody else, and are never looked at.
 */

import type { Plan, ServerDiff } from "../driver.js";
import { type Declared, parseDeclared } from "./declared.js";
import { type Live, missingFrom } from "./live.js";

export interface HaproxyActual {
	readonly file: {
		/** Undefined when there is none. */
		readonly text?: string;
		/** Whether HAProxy is known to have read it: false when the daemon died, or failed, between swap and reload. */
		readonly confirmed: boolean;
	};
	readonly live: Live;
}

export type HaproxyStep =
	/** Stage, check, swap. */
	| { readonly kind: "write"; readonly text: string }
	/** Reload and verify. */
	| {
			readonly kind: "reload";
			/** What has to be live afterwards. */
			readonly declared: Declared;
			/** The worker that must not be the one that answers; undefined when none could be asked. */
			readonly oldWorker?: string;
	  };

/** The plan for a rendered text. */
export function planHaproxy({ file, live }: HaproxyActual, text: string): Plan<HaproxyStep> {
	const declared = parseDeclared(text);
	const isSame = file.text === text;
	const inFile = isSame ? declared : parseDeclared(file.text ?? "");
	const write: HaproxyStep = { kind: "write", text };
	switch (live.state) {
		case "known": {
			const inStep = isSame && file.confirmed && missingFrom(live.servers, declared).length === 0;
			const reload: HaproxyStep = { kind: "reload", declared, oldWorker: live.worker };
			const steps = inStep ? [] : isSame ? [reload] : [write, reload];
			return { steps, reload: !inStep, diff: diffServers(within(live.servers, declared, inFile), declared) };
		}
		case "unknown": {
			const inStep = isSame && file.confirmed;
			const reload: HaproxyStep = { kind: "reload", declared };
			const steps = inStep ? [] : isSame ? [reload] : [write, reload];
			const unreachable = live.why === undefined ? {} : { unreachable: live.why };
			return { steps, reload: !inStep, diff: diffServers(inFile, declared), ...unreachable };
		}
		case "down":
			return {
				steps: isSame ? [] : [write],
				reload: false,
				diff: diffServers(inFile, declared),
				unreachable: live.why,
			};
		case "mute":
			return { steps: [], reload: false, diff: diffServers(inFile, declared), unreachable: live.why };
		default:
			return live satisfies never;
	}
}

/** The live backends that are ours: declared by the new or by the old file. */
function within(live: Declared, ...files: readonly Declared[]): Declared {
	return new Map([...live].filter(([backend]) => files.some((file) => file.has(backend))));
}

/** A server with another address has joined anew. */
function diffServers(before: Declared, after: Declared): ServerDiff {
	const left = missingServers(before, after, () => true);
	const joined = missingServers(after, before, (had, has) => had === has || had === undefined || has === undefined);
	return { joined, left };
}

function missingServers(
	from: Declared,
	other: Declared,
	isSame: (address: string | undefined, otherAddress: string | undefined) => boolean,
): string[] {
	return [...from]
		.flatMap(([backend, servers]) =>
			[...servers]
				.filter(([name, address]) => {
					const there = other.get(backend);
					return there === undefined || !there.has(name) || !isSame(there.get(name), address);
				})
				.map(([name]) => `${backend}/${name}`),
		)
		.sort();
}
