/**
 * What a person means by a word when they ask about listeners: a port, a process, a network namespace, a container, a
 * service or a backend. A word that may mean several is taken as all of them. Pure.
 */

import { MEANINGS, type Meaning, type Question } from "../admin/explain-view.js";
import { nearest } from "../config/nearest.js";
import { printable } from "../config/wording.js";

/** What a listener can be asked for by. */
export interface Subject {
	readonly port: number;
	/** The processes that called `listen()`. */
	readonly pids: readonly number[];
	readonly netnsInode: number;
	/** `host`, or the name under `/run/netns`. */
	readonly netnsName?: string | undefined;
	/** Full id. */
	readonly container?: string | undefined;
	readonly containerName?: string | undefined;
	/** Whether a service's rule matches it. */
	isOf(service: string): boolean;
	/** What it leads to, as `service/address:port`. */
	readonly backends: readonly string[];
}

/** Shortest part of a container's id that is taken for one. */
const MIN_ID_DIGITS = 4;
/** How many near names a message has at most. */
const MAX_NEAR = 3;

const NUMBER = /^\d{1,15}$/;

/** Whether a listener is meant, if the word has this meaning. */
const FITS: Readonly<Record<Meaning, (what: string, subject: Subject) => boolean>> = {
	port: (what, { port }) => NUMBER.test(what) && Number(what) === port,
	pid: (what, { pids }) => NUMBER.test(what) && pids.includes(Number(what)),
	netns: (what, { netnsInode, netnsName }) => what === netnsName || (NUMBER.test(what) && Number(what) === netnsInode),
	container: (what, { container, containerName }) =>
		what === containerName || (isIdPrefix(what) && container?.startsWith(what.toLowerCase()) === true),
	service: (what, subject) => subject.isOf(what),
	backend: (what, { backends }) => backends.some((name) => name === what || idOf(name) === what),
};

/** Which meanings of the word a listener has, in the order of {@link MEANINGS}. */
export function meaningsOf({ what, as }: Question, subject: Subject): Meaning[] {
	return MEANINGS.filter((meaning) => (as === undefined || meaning === as) && FITS[meaning](what, subject));
}

/** What the listener is called in that meaning, in full. */
export function nameOf(meaning: Meaning, what: string, subject: Subject): string {
	switch (meaning) {
		case "port":
		case "pid":
		case "service":
		case "backend":
			return what;
		case "netns":
			return subject.netnsName === undefined
				? String(subject.netnsInode)
				: `${subject.netnsName} (${subject.netnsInode})`;
		case "container": {
			const { container = "", containerName } = subject;
			return containerName === undefined ? container : `${containerName} (${container.slice(0, 12)})`;
		}
		default:
			return meaning satisfies never;
	}
}

/**
 * That nothing fits, in one sentence, with what is nearest.
 *
 * @param services names of all services, also of those that nothing listens for
 * @param backends `service/address:port` of all that there are
 */
export function nothingFits(
	{ what, as }: Question,
	subjects: readonly Subject[],
	services: readonly string[],
	backends: readonly string[],
): string {
	const shown = printable(what);
	const netns = names(subjects, ({ netnsName }) => netnsName);
	const containers = names(subjects, ({ containerName }) => containerName);
	switch (as) {
		case "port":
			return `nothing listens on port ${shown}, nor did lately${near(
				"ports",
				what,
				numbers(subjects, ({ port }) => [port]),
			)}`;
		case "pid":
			return `no socket that listens, or did lately, was opened by process ${shown}: the one that called listen() counts${near(
				"pids",
				what,
				numbers(subjects, ({ pids }) => pids),
			)}`;
		case "netns":
			return `nothing listens in a network namespace ${shown}, nor did lately${guess(what, netns)}`;
		case "container":
			return `nothing listens in a container ${shown}, nor did lately${guess(what, containers)}`;
		case "service":
			return `there is no service ${shown}${guess(what, services)}`;
		case undefined: {
			if (NUMBER.test(what)) {
				const ports = near(
					"ports",
					what,
					numbers(subjects, ({ port }) => [port]),
				);
				return `${shown} is no port that listens, no process that called listen(), and no network namespace that one is in, now or lately${ports}`;
			}
			const known = [...services, ...containers, ...netns, ...backends, ...backends.map(idOf)];
			return `"${shown}" is no port, process, network namespace, container, service or backend that there is, or was lately${guess(what, known)}`;
		}
		default:
			return as satisfies never;
	}
}

const isIdPrefix = (what: string) => what.length >= MIN_ID_DIGITS && what.length <= 64 && /^[0-9a-f]+$/i.test(what);

/** `address:port`, of `service/address:port`. */
const idOf = (backend: string) => backend.slice(backend.indexOf("/") + 1);

const names = (subjects: readonly Subject[], of: (subject: Subject) => string | undefined) => [
	...new Set(subjects.flatMap((subject) => of(subject) ?? [])),
];

const numbers = (subjects: readonly Subject[], of: (subject: Subject) => readonly number[]) => [
	...new Set(subjects.flatMap(of)),
];

function guess(what: string, known: readonly string[]): string {
	const meant = nearest(what, known);
	return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}

/** Those that look like it come first: a digit is mistyped more easily than a port moves to the next one. */
function near(title: string, what: string, known: readonly number[]): string {
	const wanted = Number(what);
	const alike = nearest(what, known.map(String));
	const close = [...known].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted)).map(String);
	const shown = [...new Set([...(alike === undefined ? [] : [alike]), ...close])].slice(0, MAX_NEAR);
	return shown.length === 0 ? "" : ` (nearest ${title}: ${shown.join(", ")})`;
}
