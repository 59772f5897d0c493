/**
 * What it takes to make HAProxy equal to a rendered file: from the file and the live state to steps. Pure. Backends and
 * servers that the file does not declare belong to somebody else, and are never looked at.
 */

import type { Plan, ServerDiff } from "../driver.js";
import { type Aim, addServer, aimOfLine, changeServer } from "./aim.js";
import { commandsOf, type ServerStep } from "./commands.js";
import type { Declared, DeclaredFile, DeclaredServer } from "./declared.js";
import type { Live, LiveServers } from "./live.js";
import { isSlotName } from "./slots.js";

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
	| ServerStep
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

/** What is wanted, beside the text of the file. */
export interface Wanted {
	readonly text: string;
	/** What the text declares, and what the file that is there does. */
	readonly next: DeclaredFile;
	readonly last: DeclaredFile;
	/** How servers are to be, where more is known of them than their lines can say. By backend, then by server. */
	readonly aims: ReadonlyMap<string, ReadonlyMap<string, Aim>>;
	/** The backends to which servers can be added at run time. */
	readonly dynamic: ReadonlySet<string>;
	/**
	 * The ids of the backends whose servers are to have HAProxy's own checks off, as free slots are; undefined: checks are
	 * none of our business. What a template adds besides is known to HAProxy's checks alone.
	 */
	readonly checksOff: ReadonlySet<string> | undefined;
	/** The commands that this worker refused: they are not tried again, and a reload has to do what they can't. */
	readonly refused: ReadonlySet<string>;
}

/** How many servers a plan deletes at the most; each may take as long as HAProxy waits for its last connection. */
const DELETIONS = 8;

/** The plan for a rendered text. */
export function planHaproxy({ file, live }: HaproxyActual, wanted: Wanted): Plan<HaproxyStep> {
	const { text, next, last } = wanted;
	const isSame = file.text === text;
	const write: HaproxyStep[] = isSame ? [] : [{ kind: "write", text }];
	const diffOfFiles = () => diffPlaces(declaredPlaces(last.backends), declaredPlaces(next.backends));
	switch (live.state) {
		case "known": {
			const isRead = file.text !== undefined && file.confirmed;
			const isShape = isSameShape(last, next) && !lacksShape(live.servers, next.backends, wanted.dynamic);
			// Only where our own file was there before: a backend of that name may still be somebody else's.
			const ours = [...next.backends].filter(([backend]) => last.backends.has(backend));
			const changes = ours.flatMap(([backend, servers]) => declaredSteps(backend, servers, live.servers, wanted));
			const [refused, urgent] = part(changes, (step) => isRefused(step, wanted.refused));
			const reload = !isRead || !isShape || refused.some((step) => isInFile(step, next.backends, live.servers));
			const leftovers = ours.flatMap(([backend, servers]) =>
				leftoverSteps(backend, servers, live.servers, wanted, reload),
			);
			// HAProxy may have to wait for a last connection: nobody else should have to.
			const [deletions, out] = part(leftovers, ({ kind }) => kind === "delete");
			const step: HaproxyStep = { kind: "reload", declared: next.backends, oldWorker: live.worker };
			const isFirst = file.text === undefined && ![...next.backends.keys()].some((name) => live.servers.has(name));
			return {
				urgent: [...urgent, ...out],
				steps: [...write, ...(reload ? [step] : deletions.slice(0, DELETIONS))],
				reload,
				diff: diffPlaces(livePlaces(live.servers, last.backends, next.backends), declaredPlaces(next.backends)),
				...(isFirst && { isFirst }),
			};
		}
		case "unknown": {
			const reload = !isSame || !file.confirmed;
			const unreachable = live.why === undefined ? {} : { unreachable: live.why };
			const step: HaproxyStep = { kind: "reload", declared: next.backends };
			return { steps: reload ? [...write, step] : [], reload, diff: diffOfFiles(), ...unreachable };
		}
		case "down":
			return { steps: write, reload: false, diff: diffOfFiles(), unreachable: live.why };
		case "mute":
			return { steps: [], reload: false, diff: diffOfFiles(), unreachable: live.why };
		default:
			return live satisfies never;
	}
}

function part<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
	return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

function isRefused(step: ServerStep, refused: ReadonlySet<string>): boolean {
	return commandsOf(step).some((command) => refused.has(command));
}

/** Whether a new worker would have from its file what a step is to bring: else a reload is of no use. */
function isInFile({ backend, server }: ServerStep, declared: Declared, live: LiveServers): boolean {
	const line = declared.get(backend)?.get(server);
	const has = live.get(backend)?.get(server);
	if (line === undefined || has === undefined) return line !== undefined;
	const isDisabled = has.admin === "maint";
	if (line.disabled !== isDisabled) return true;
	return !isDisabled && (line.address !== has.address || (line.weight ?? has.weight) !== has.weight);
}

/** Whether two files differ only in what can be changed at run time. */
function isSameShape(last: DeclaredFile, next: DeclaredFile): boolean {
	if (last.frame !== next.frame) return false;
	return [...next.backends].every(([backend, servers]) => {
		const before = last.backends.get(backend);
		return [...servers].every(([name, { options }]) => (before?.get(name)?.options ?? options) === options);
	});
}

/** Whether HAProxy lacks something that no command can add. */
function lacksShape(live: LiveServers, declared: Declared, dynamic: ReadonlySet<string>): boolean {
	return [...declared].some(([backend, servers]) => {
		const there = live.get(backend);
		if (there === undefined) return true;
		return !dynamic.has(backend) && [...servers.keys()].some((name) => !there.has(name));
	});
}

/** What it takes to make the servers that the file has as they are wanted. */
function declaredSteps(
	backend: string,
	declared: ReadonlyMap<string, DeclaredServer>,
	live: LiveServers,
	{ aims, dynamic, checksOff }: Wanted,
): ServerStep[] {
	const there = live.get(backend);
	if (there === undefined) return [];
	return [...declared].flatMap(([server, line]) => {
		const aim = aims.get(backend)?.get(server) ?? aimOfLine(line);
		const has = there.get(server);
		const isOff = checksOff !== undefined && (isSlotName(server) || checksOff.has(line.address ?? ""));
		if (has !== undefined) return changeServer({ backend, server }, has, aim, isOff);
		return dynamic.has(backend) ? addServer({ backend, server }, aim, isOff) : [];
	});
}

/**
 * What it takes to be rid of slots that the file no longer has. Where a reload is to come, one whose backend is to stay
 * serves until then: the new worker has another server for it.
 */
function leftoverSteps(
	backend: string,
	declared: ReadonlyMap<string, DeclaredServer>,
	live: LiveServers,
	{ dynamic }: Wanted,
	reload: boolean,
): ServerStep[] {
	const stays = new Set(
		reload ? [...declared.values()].flatMap(({ address, disabled }) => (disabled ? [] : address)) : [],
	);
	return [...(live.get(backend) ?? [])].flatMap(([server, { admin, address }]): ServerStep[] => {
		// Whatever else somebody added to the backend is theirs.
		if (declared.has(server) || !isSlotName(server) || stays.has(address)) return [];
		const out: ServerStep[] = admin === "maint" ? [] : [{ kind: "state", backend, server, state: "maint" }];
		return dynamic.has(backend) ? [...out, { kind: "delete", backend, server }] : out;
	});
}

/** Where a proxy sends something, as `service/address:port`. */
type Places = ReadonlySet<string>;

function declaredPlaces(declared: Declared): Places {
	return new Set(
		[...declared].flatMap(([backend, servers]) =>
			[...servers].flatMap(([name, { address, disabled }]) => (disabled ? [] : [`${backend}/${address ?? name}`])),
		),
	);
}

/** Of the backends that are ours: declared by the new or by the old file. */
function livePlaces(live: LiveServers, ...files: readonly Declared[]): Places {
	return new Set(
		[...live].flatMap(([backend, servers]) => {
			if (!files.some((file) => file.has(backend))) return [];
			return [...servers].flatMap(([name, { address, admin }]) => {
				if (admin === "maint") return [];
				// A name in the file was resolved by HAProxy: it is known by the server's name.
				const isNamed = files.some((file) => {
					const server = file.get(backend)?.get(name);
					return server !== undefined && server.address === undefined;
				});
				return [`${backend}/${isNamed ? name : address}`];
			});
		}),
	);
}

function diffPlaces(before: Places, after: Places): ServerDiff {
	return {
		joined: [...after].filter((place) => !before.has(place)).sort(),
		left: [...before].filter((place) => !after.has(place)).sort(),
	};
}
