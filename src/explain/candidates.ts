/** Who may be meant by a question: all that listen, and those that did lately, each by what it can be asked for. */

import { MEANINGS, type Meaning, type MeaningView, type Question } from "../admin/explain-view.js";
import type { Known } from "../judged.js";
import type { Pipeline } from "../pipeline.js";
import type { Departed } from "./history.js";
import { nameOf, type Subject } from "./meaning.js";

/** One that listens. */
export interface Listening {
	readonly state: "listening";
	readonly listener: Known;
	readonly subject: Subject;
}

/** One that did, and is remembered. */
export interface Closed {
	readonly state: "closed";
	readonly departed: Departed;
	readonly subject: Subject;
}

export type Candidate = Listening | Closed;

/** One that is meant, and which meanings of the question it has. */
export interface Found {
	readonly candidate: Candidate;
	readonly means: readonly Meaning[];
}

type Source = Pick<Pipeline, "listeners" | "decisions" | "history">;

/** All that listen, in no order. @param isService whether there is a service of that name */
export function listeningNow(pipeline: Source, isService: (name: string) => boolean): Listening[] {
	return pipeline.listeners().map((listener) => ({
		state: "listening",
		listener,
		subject: subjectOf(listener, pipeline, isService),
	}));
}

/** By namespace, the host's first; then by port and address. */
export function byPlace(a: Listening, b: Listening): number {
	const netns = ({ subject: { netnsName, netnsInode } }: Listening) =>
		`${netnsName === "host" ? 0 : 1}${netnsName ?? netnsInode}`;
	return compare(netns(a), netns(b)) || a.subject.port - b.subject.port || compare(addressOf(a), addressOf(b));
}

/** Those that closed, the last one first. */
export function closedLately({ history }: Source): Closed[] {
	return history
		.departed()
		.map((departed): Closed => ({ state: "closed", departed, subject: departedSubject(departed) }))
		.sort((a, b) => b.departed.closedMs - a.departed.closedMs);
}

const addressOf = ({ listener }: Listening) => listener.endpoint.address;
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function subjectOf(
	listener: Known,
	pipeline: Pick<Pipeline, "decisions">,
	isService: (name: string) => boolean,
): Subject {
	const { endpoint, resolved, verdict, claims, isUnmatched } = listener;
	const { netnsInode, netnsName, container, containerName } = resolved.identity;
	// whom no rule matches, none need be asked about again; and who is somewhere, is seldom refused elsewhere
	const isDecided = isUnmatched === true || (claims.length > 0 && verdict.state !== "pending");
	return {
		port: endpoint.port,
		pids: endpoint.sockets.map(({ pid }) => pid),
		netnsInode,
		netnsName: resolved.isHost ? "host" : netnsName,
		container,
		containerName,
		isOf(service) {
			if (claims.some(({ backend }) => backend.service === service)) return true;
			if (isDecided || !isService(service)) return false;
			return pipeline.decisions(listener).rules.some((rule) => rule.matched && rule.service === service);
		},
		backends: claims.map(({ backend }) => `${backend.service}/${backend.id}`),
	};
}

function departedSubject({ port, pid, identity, backends }: Departed): Subject {
	const { netnsInode, netnsName, container, containerName } = identity;
	return {
		port,
		pids: [pid],
		netnsInode,
		netnsName,
		container,
		containerName,
		isOf: (service) => backends.some((backend) => backend.service === service),
		backends: backends.map(({ service, id }) => `${service}/${id}`),
	};
}

/** Each meaning with its full names: a prefix of an id may be that of several containers. */
export function meaningsFound({ what }: Question, found: readonly Found[]): MeaningView[] {
	const views = new Map<string, { meaning: Meaning; name: string; listening: number; closed: number }>();
	for (const { candidate, means } of found) {
		for (const meaning of means) {
			const name = nameOf(meaning, what, candidate.subject);
			const key = `${meaning} ${name}`;
			const view = views.get(key) ?? { meaning, name, listening: 0, closed: 0 };
			view[candidate.state]++;
			views.set(key, view);
		}
	}
	return [...views.values()].sort((a, b) => MEANINGS.indexOf(a.meaning) - MEANINGS.indexOf(b.meaning));
}
