/**
 * Answers why a listener is where it is: finds whom a question means, and puts together what the stages say of each.
 * Worked out when it is asked for; keeps nothing.
 */

import type { Explained, ExplainView, Question, StrayView } from "../admin/explain-view.js";
import type { ProxyView } from "../admin/view.js";
import type { BackendStatus } from "../backends/status.js";
import type { Known } from "../judged.js";
import type { Pipeline } from "../pipeline.js";
import { closedLately, type Found, listeningNow, meaningsFound } from "./candidates.js";
import { explainedView } from "./listener-views.js";
import { meaningsOf, nothingFits } from "./meaning.js";
import { missesOf } from "./misses.js";

/** How many listeners an answer has at most. */
const MAX_LISTENERS = 500;

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
	const statuses = new Map(services.flatMap(({ name, backends }) => backends.map((one) => [`${name}/${one.id}`, one])));
	const statusOf = (service: string, id: string) => statuses.get(`${service}/${id}`);
	const listening = listeningNow(pipeline);
	const strays = straysOf(options, new Set(listening.flatMap(({ subject }) => subject.backends)));
	const answer = (found: readonly Found[], rest: Omit<ExplainView, "recordedSince" | "listeners" | "more">) => ({
		recordedSince: toIso(recordedSinceMs),
		listeners: found
			.slice(0, MAX_LISTENERS)
			.map(({ candidate, means }) => explainedView(candidate, means, { pipeline, toIso, statusOf, proxiesOf })),
		more: Math.max(0, found.length - MAX_LISTENERS),
		...rest,
	});

	if (question === undefined) {
		const matched = listening.filter(({ listener }) => listener.isUnmatched !== true);
		const odd = matched.filter(({ listener }) => !isPlainlyIn(listener, statusOf));
		const others = { in: matched.length - odd.length, unmatched: listening.length - matched.length };
		const found = odd.map((candidate) => ({ candidate, means: [] }));
		return { ok: true, answer: answer(found, { meanings: [], strays, misses: [], others }) };
	}

	const candidates = [...listening, ...closedLately(pipeline)];
	const found = candidates.flatMap((candidate): Found[] => {
		const means = meaningsOf(question, candidate.subject);
		return means.length === 0 ? [] : [{ candidate, means }];
	});
	const meant = strays.filter(({ service, id }) => {
		const subject = { ...NOBODY, services: [service], backends: [`${service}/${id}`] };
		return meaningsOf(question, subject).length > 0;
	});
	const meanings = meaningsFound(question, found);
	const names = services.map(({ name }) => name);
	const { what, as = "service" } = question;
	const add = (meaning: "service" | "backend") => meanings.push({ meaning, name: what, listening: 0, closed: 0 });
	const isService = as === "service" && names.includes(what);
	if (isService && !meanings.some(({ meaning }) => meaning === "service")) add("service");
	if (meanings.length === 0 && meant.length > 0) add(names.includes(what) ? "service" : "backend");
	if (meanings.length > 0) {
		const isEmpty = isService && !found.some(({ candidate }) => candidate.state === "listening");
		const misses = isEmpty ? missesOf(what, listening, pipeline) : [];
		return { ok: true, answer: answer(found, { meanings, strays: meant, misses }) };
	}
	const subjects = candidates.map(({ subject }) => subject);
	const backends = [...new Set([...statuses.keys(), ...subjects.flatMap((one) => one.backends)])];
	return { ok: false, message: nothingFits(question, subjects, names, backends) };
}

/** No listener: what is a backend and nothing else. */
const NOBODY = { port: -1, pids: [], netnsInode: -1 };

/** In every pool that its rules lead to, and ready there. */
function isPlainlyIn(
	{ verdict }: Known,
	statusOf: (service: string, id: string) => BackendStatus | undefined,
): boolean {
	if (verdict.state !== "in") return false;
	return verdict.places.every(
		({ service, backend, state }) => state === undefined && statusOf(service, backend)?.held !== true,
	);
}

/** What the pools have, or a person holds, beside all that listens. */
function straysOf({ pipeline, toIso }: AnswerOptions, led: ReadonlySet<string>): StrayView[] {
	const known = pipeline.status().flatMap(({ name, backends }) =>
		backends.map(({ id, state, held, reason, sinceMs }) => ({
			service: name,
			id,
			state,
			held,
			reason,
			since: toIso(sinceMs),
		})),
	);
	const there = new Set(known.map(({ service, id }) => `${service}/${id}`));
	const absent = pipeline
		.holds()
		.map(({ service, id, state }) => ({ service, id, state, held: true, reason: "nothing listens there now" }));
	return [...known, ...absent.filter(({ service, id }) => !there.has(`${service}/${id}`))].filter(
		({ service, id }) => !led.has(`${service}/${id}`),
	);
}
