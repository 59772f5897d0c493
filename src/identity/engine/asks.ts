/**
 * Which containers an engine is to be asked for: one question at a time for each, a few at once, what failed again later.
 * Knows ids, order and pauses; not what the answers say.
 */

export interface Asks {
	/**
	 * Asks for a container, unless that is under way; one that failed is not left to wait for its pause.
	 *
	 * @param urgency `now`: somebody waits; it goes ahead of what is asked in the background
	 */
	ask(id: string, urgency: Urgency): void;
	/** Asks now; once more when an answer is on its way, which may tell of an earlier time. */
	refresh(id: string): void;
	/** Asks, unless that is under way or waits for its pause. */
	want(id: string): void;
	isPending(id: string): boolean;
	/** Why the last attempt for a container that is being asked for came to nothing. */
	whyNot(id: string): string | undefined;
	/** Its answer is not wanted any more. */
	forget(id: string): void;
	/** The engine can be asked: all that has no answer goes out at once. */
	open(): void;
	/** It can't: questions wait for `open`; those on their way are asked anew, for events may be lost meanwhile. */
	shut(): void;
	/** Nothing is asked any more, and no answer is told. */
	close(): void;
}

export type Urgency = "now" | "background";

/** What came of one attempt. */
export type Attempt =
	| { readonly state: "done" }
	/** Tried again: soon, when it may be a matter of moments, else up to minutes apart. */
	| { readonly state: "again"; readonly soon: boolean; readonly why: string };

export interface AsksOptions {
	/** Asks the engine, and tells of the answer, unless the signal was aborted meanwhile. Never rejects. */
	readonly attempt: (id: string, signal: AbortSignal) => Promise<Attempt>;
	/** Whether it is worth asking for, for ever; else only for as long as somebody wants it. */
	readonly isKept: (id: string) => boolean;
}

/** How many are asked at once. What is urgent need not wait for what is not. */
const MOST_AT_ONCE = { now: 16, background: 4 } as const;

const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = { soon: 10_000, late: 300_000 } as const;

/** One that nobody wanted for so long is not asked for any more. Every read of the kernel's table wants it anew. */
const UNWANTED_MS = 1_200_000;

interface Ask {
	urgency: Urgency;
	state: "queued" | "asking" | "waiting";
	/** Once more, whatever is answered. */
	again: boolean;
	failures: number;
	why: string | undefined;
	/** When somebody wanted it last. */
	wantedAtMs: number;
	timer: NodeJS.Timeout | undefined;
	controller: AbortController | undefined;
}

export function createAsks({ attempt, isKept }: AsksOptions): Asks {
	const asks = new Map<string, Ask>();
	const queues: Readonly<Record<Urgency, Set<string>>> = { now: new Set(), background: new Set() };
	let asking = 0;
	let isOpen = false;

	const enqueue = (id: string, ask: Ask) => {
		clearTimeout(ask.timer);
		ask.state = "queued";
		queues.now.delete(id);
		queues.background.delete(id);
		queues[ask.urgency].add(id);
	};

	const pump = () => {
		if (!isOpen) return;
		for (const urgency of ["now", "background"] as const) {
			for (const id of queues[urgency]) {
				if (asking >= MOST_AT_ONCE[urgency]) break;
				queues[urgency].delete(id);
				const ask = asks.get(id);
				if (ask !== undefined) void run(id, ask);
			}
		}
	};

	const run = async (id: string, ask: Ask) => {
		asking += 1;
		ask.state = "asking";
		const controller = new AbortController();
		ask.controller = controller;
		const outcome = await attempt(id, controller.signal);
		asking -= 1;
		// Unless it was forgotten meanwhile, or is to be asked anew.
		if (ask.controller === controller) settle(id, ask, outcome);
		pump();
	};

	const settle = (id: string, ask: Ask, outcome: Attempt) => {
		ask.controller = undefined;
		if (outcome.state === "again") {
			ask.failures += 1;
			ask.why = outcome.why;
		}
		if (ask.again) {
			ask.again = false;
			enqueue(id, ask);
		} else if (outcome.state === "done") {
			asks.delete(id);
		} else {
			wait(id, ask, LAST_PAUSE_MS[outcome.soon ? "soon" : "late"]);
		}
	};

	const wait = (id: string, ask: Ask, lastMs: number) => {
		ask.state = "waiting";
		const pauseMs = Math.min(lastMs, FIRST_PAUSE_MS * 2 ** Math.min(ask.failures - 1, 20));
		ask.timer = setTimeout(() => {
			if (performance.now() - ask.wantedAtMs > UNWANTED_MS && !isKept(id)) {
				forget(id);
				return;
			}
			enqueue(id, ask);
			pump();
		}, pauseMs);
	};

	const giveUp = (ask: Ask) => {
		ask.controller?.abort();
		ask.controller = undefined;
	};

	const forget = (id: string) => {
		const ask = asks.get(id);
		if (ask === undefined) return;
		clearTimeout(ask.timer);
		asks.delete(id);
		queues.now.delete(id);
		queues.background.delete(id);
		giveUp(ask);
	};

	const ask = (id: string, urgency: Urgency) => {
		let known = asks.get(id);
		if (known?.state === "asking") return;
		known ??= {
			urgency,
			state: "queued",
			again: false,
			failures: 0,
			why: undefined,
			wantedAtMs: performance.now(),
			timer: undefined,
			controller: undefined,
		};
		if (urgency === "now") known.urgency = "now";
		asks.set(id, known);
		enqueue(id, known);
		pump();
	};

	const shut = () => {
		isOpen = false;
		for (const [id, known] of asks) {
			if (known.state !== "asking") continue;
			giveUp(known);
			enqueue(id, known);
		}
	};

	return {
		ask,
		refresh(id) {
			const known = asks.get(id);
			if (known?.state === "asking") known.again = true;
			else ask(id, "now");
		},
		want(id) {
			const known = asks.get(id);
			if (known === undefined) ask(id, "now");
			else known.wantedAtMs = performance.now();
		},
		isPending: (id) => asks.has(id),
		whyNot: (id) => asks.get(id)?.why,
		forget,
		open() {
			isOpen = true;
			for (const [id, known] of asks) if (known.state === "waiting") enqueue(id, known);
			pump();
		},
		shut,
		close() {
			shut();
			for (const id of [...asks.keys()]) forget(id);
		},
	};
}
