/**
 * Answers why a listener is where it is: finds whom a question means, and puts together what the stages say of each.
 * Worked out when it is asked for; keeps nothing.
 */

import type { Explained, ExplainView, Question, StrayView } from "../admin/explain-view.js";
import type { ProxyView } from "../admin/view.js";
import type { ServiceStatus } from "../backends/status.js";
import type { Known } from "../judged.js";
import type { Pipeline } from "../pipeline.js";
import {
	byPlace,
	type Candidate,
	closedLately,
	type Found,
	type Listening,
	listeningNow,
	meaningsFound,
} from "./candidates.js";
import { explainedView } from "./listener-views.js";
import { meaningsOf, nothingFits } from "./meaning.js";
import { missesOf } from "./misses.js";
import { changeView } from "./words.js";

/** How many listeners an answer has at most. */
const MAX_LISTENERS = 500;
/** How many backends' names are looked through for one that was meant. */
const MAX_GUESSES = 2000;

export interface AnswerOptions {
	readonly pipeline: Pick<Pipeline, "listeners" | "decisions" | "status" | "holds" | "history" | "toMs">;
	/** The proxies that serve a service, as they are now. */
	proxiesOf(service: string): readonly ProxyView[];
	/** A time of the pipeline's clock as a date, ISO 8601. */
	toIso(ms: number): string;
	/** When changes began to be recorded, in the pipeline's clock. */
	readonly recordedSinceMs: number;
}

/** @param question undefined: all that is neither plainly in a pool nor plainly matched by no rule */
export function explain(question: Question | undefined, options: AnswerOptions): Explained {
	const { pipeline, proxiesOf, toIso, recordedSinceMs } = options;
	const services = pipeline.status();
	const names = new Set(services.map(({ name }) => name));
	const statuses = new Map(services.flatMap(({ name, backends }) => backends.map((one) => [`${name}/${one.id}`, one])));
	const statusOf = (service: string, id: string) => statuses.get(`${service}/${id}`);
	const listening = listeningNow(pipeline, (name) => names.has(name));
	const strays = straysOf(services, listening, options);
	const answer = (found: readonly Found[], rest: Omit<ExplainView, "recordedSince" | "listeners" | "more">) => ({
		recordedSince: toIso(recordedSinceMs),
		listeners: found
			.slice(0, MAX_LISTENERS)
			.map(({ candidate, means }) => explainedView(candidate, means, { pipeline, toIso, statusOf, proxiesOf })),
		more: Math.max(0, found.length - MAX_LISTENERS),
		...rest,
	});

	if (question === undefined) {
		const isBeside = besides(listening, pipeline);
		const matched = listening.filter(({ listener }) => listener.isUnmatched !== true && !isBeside(listener));
		const odd = matched.filter(({ listener }) => !isPlainlyIn(listener)).sort(byPlace);
		const others = { in: matched.length - odd.length, unmatched: listening.length - matched.length };
		const found = odd.map((candidate) => ({ candidate, means: [] }));
		// of another host, and ready: it is another daemon's
		const own = strays.filter(({ host, state }) => host === undefined || state !== "ready");
		return { ok: true, answer: answer(found, { meanings: [], strays: own, misses: [], others }) };
	}

	const closed = closedLately(pipeline);
	const isMeant = ({ subject }: Candidate) => meaningsOf(question, subject).length > 0;
	const found = [...listening.filter(isMeant).sort(byPlace), ...closed.filter(isMeant)].map((candidate): Found => {
		return { candidate, means: meaningsOf(question, candidate.subject) };
	});
	const isMeantStray = ({ service, id }: StrayView) => {
		const subject = { ...NOBODY, isOf: (name: string) => name === service, backends: [`${service}/${id}`] };
		return meaningsOf(question, subject).length > 0;
	};
	const gone = goneElsewhere(statuses, options).filter(({ service, id }) =>
		[id, `${service}/${id}`].includes(question.what),
	);
	const meantStrays = [...strays, ...gone].filter(isMeantStray).map((stray): StrayView => {
		const changes = pipeline.history.elsewhere(stray).map((change) => changeView(change, toIso));
		return changes.length === 0 ? stray : { ...stray, history: changes };
	});
	const meanings = meaningsFound(question, found);
	const { what, as = "service" } = question;
	const add = (meaning: "service" | "backend") => meanings.push({ meaning, name: what, listening: 0, closed: 0 });
	const isService = as === "service" && names.has(what);
	if (isService && !meanings.some(({ meaning }) => meaning === "service")) add("service");
	if (meanings.length === 0 && meantStrays.length > 0) add(names.has(what) ? "service" : "backend");
	if (meanings.length > 0) {
		const isEmpty = isService && !found.some(({ candidate }) => candidate.state === "listening");
		const misses = isEmpty ? missesOf(what, listening, pipeline) : [];
		return { ok: true, answer: answer(found, { meanings, strays: meantStrays, misses }) };
	}
	const subjects = [...listening, ...closed].map(({ subject }) => subject);
	const backends = [...new Set([...statuses.keys(), ...subjects.flatMap((one) => one.backends)])].slice(0, MAX_GUESSES);
	return { ok: false, message: nothingFits(question, subjects, [...names], backends) };
}

/** No listener: what is a backend and nothing else. */
const NOBODY = { port: -1, pids: [], netnsInode: -1 };

/** In every pool that its rules lead to, and ready there. */
const isPlainlyIn = ({ verdict }: Known): boolean =>
	verdict.state === "in" && verdict.places.every(({ state }) => state === undefined);

/**
 * Tells the other ports of containers whose labels lead somewhere: nobody wants these, and nobody misses them. Where no
 * listener is the one that the label means, it may be a mistake.
 */
function besides(listening: readonly Listening[], pipeline: Pick<Pipeline, "decisions">): (listener: Known) => boolean {
	const led = new Set(
		listening.flatMap(({ listener: { claims, resolved } }) =>
			claims.map(({ backend }) => `${resolved.identity.container} ${backend.service}`),
		),
	);
	return (listener) => {
		const { container } = listener.resolved.identity;
		if (container === undefined || listener.verdict.state !== "out" || listener.claims.length > 0) return false;
		const { labels, misfits } = pipeline.decisions(listener);
		const hasMore = labels.length > misfits.length;
		return !hasMore && misfits.length > 0 && misfits.every(({ service }) => led.has(`${container} ${service}`));
	};
}

/** Backends that no listener here led to, and that are no more. */
function goneElsewhere(known: ReadonlyMap<string, unknown>, { pipeline, toIso }: AnswerOptions): StrayView[] {
	return pipeline.history
		.goneElsewhere()
		.filter(({ service, id }) => !known.has(`${service}/${id}`))
		.map(({ service, id, atMs }) => {
			const reason = "it left the pool: nobody offers it any more";
			return { service, id, state: "out", held: false, reason, since: toIso(atMs) };
		});
}

/** What the pools have, or a person holds, beside all that listens. */
function straysOf(
	services: readonly ServiceStatus[],
	listening: readonly Listening[],
	{ pipeline, toIso }: AnswerOptions,
): StrayView[] {
	const led = new Set(listening.flatMap(({ subject }) => subject.backends));
	const known = new Set<string>();
	const strays: StrayView[] = [];
	for (const { name: service, backends } of services) {
		for (const { id, state, held, reason, sinceMs, host } of backends) {
			const name = `${service}/${id}`;
			known.add(name);
			const where = host === undefined ? {} : { host };
			if (!led.has(name)) strays.push({ service, id, state, held, reason, since: toIso(sinceMs), ...where });
		}
	}
	for (const { service, id, state } of pipeline.holds()) {
		const reason = "nothing listens there now";
		if (!known.has(`${service}/${id}`)) strays.push({ service, id, state, held: true, reason });
	}
	return strays;
}
